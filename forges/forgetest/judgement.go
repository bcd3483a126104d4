package forgetest

// Teams is a world whose policies may name teams: GitHub's teams of an organisation,
// GitLab's groups.
type Teams interface {
	// AddTeam makes a team beside the repository and returns how a policy spells it.
	AddTeam(repo Repository, name string) string
	// JoinTeam makes p an active member.
	JoinTeam(repo Repository, team string, p Person)
	// InviteToTeam invites p, who has not accepted yet.
	InviteToTeam(repo Repository, team string, p Person)
	// LeaveTeam takes p out.
	LeaveTeam(repo Repository, team string, p Person)
}

// CI is a world in which CI reports on commits.
type CI interface {
	// ReportCheck reports the outcome of a check of a commit, as a run of its own: the newest
	// of a name counts.
	ReportCheck(repo Repository, sha, name string, outcome CheckOutcome)
}

// CheckOutcome is how a check stands.
type CheckOutcome int

// Outcomes.
const (
	CheckRunning CheckOutcome = iota
	CheckPassed
	CheckFailed
	CheckSkipped
)

// Assigner is a world in which people are put in charge of changes.
type Assigner interface {
	// Assign puts p in charge of the change.
	Assign(c Change, p Person)
}

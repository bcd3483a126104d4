package gate

// people is how many more people it takes at least: one may settle everything that is
// open, so it is the most that any single thing lacks. What could not be read asks for
// nobody yet.
func (j *judge) people(d Decision) int {
	most := 0
	for _, c := range d.Coverage {
		most = max(most, c.People)
	}
	for _, c := range d.Checks {
		if c.Outcome != Waiting || c.Unread {
			continue
		}
		switch c.Name { //nolint:exhaustive // the others take no people
		case CheckApprovals:
			most = max(most, j.asked()-len(j.counted), 1) // full in number, and not of each group
		case CheckIndependent, CheckOwners:
			most = max(most, 1)
		}
	}
	return most
}

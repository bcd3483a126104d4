package api

// FindingLevel is how bad a finding is.
type FindingLevel string

// Levels of findings.
const (
	FindingPass    FindingLevel = "pass"
	FindingWarning FindingLevel = "warning"
	FindingFailure FindingLevel = "failure"
)

// Finding is one thing that the doctor looked at.
type Finding struct {
	ID    string       `json:"id"`
	Area  string       `json:"area"`
	Level FindingLevel `json:"level"`
	Text  string       `json:"text"`
	Fix   string       `json:"fix,omitempty"` // what to do; set wherever Level is no pass
}

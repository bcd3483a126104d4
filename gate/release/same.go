package release

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"

	"github.com/countersign/countersign/gate"
)

// sameDecision compares everything that decisions say but when they were made:
// approvals bind to the tag object on record, and who audits a release reads its
// protection there, so a difference that no check names is a difference too.
func sameDecision(stored json.RawMessage, d gate.Decision) bool {
	if len(stored) == 0 {
		return false
	}
	fresh, err := json.Marshal(d)
	if err != nil {
		return false
	}
	a, err := timeless(stored)
	if err != nil {
		return false // what does not decode is no decision: the new one is then a change
	}
	b, err := timeless(fresh)
	return err == nil && bytes.Equal(a, b)
}

// timeless is a decision's JSON without its times, with members in one order and
// the people who can help in one: forges list them as they like.
func timeless(decision []byte) ([]byte, error) {
	var d map[string]json.RawMessage
	if err := json.Unmarshal(decision, &d); err != nil {
		return nil, err
	}
	delete(d, "at")
	var checks []map[string]any
	if err := json.Unmarshal(d["checks"], &checks); err != nil {
		return nil, err
	}
	for _, c := range checks {
		if c["name"] == string(gate.CheckEvidence) && c["outcome"] == gate.Granted.String() {
			delete(c, "reason") // it says when the evidence was read
		}
	}
	if err := put(d, "checks", checks); err != nil {
		return nil, err
	}
	for _, people := range []string{"can_approve", "cannot_approve"} {
		var list []json.RawMessage
		if err := json.Unmarshal(d[people], &list); err != nil {
			return nil, err
		}
		slices.SortFunc(list, func(a, b json.RawMessage) int { return cmp.Compare(string(a), string(b)) })
		if err := put(d, people, list); err != nil {
			return nil, err
		}
	}
	return json.Marshal(d)
}

func put(d map[string]json.RawMessage, member string, v any) error {
	raw, err := json.Marshal(v)
	d[member] = raw
	return err
}

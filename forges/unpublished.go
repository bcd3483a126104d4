package forges

import "github.com/countersign/countersign/gate"

// NotYet says that evidence has no place at the forge so far, and may have one soon: kind
// NotFound, to be tried again.
func NotYet(text, fix string) error {
	return &gate.Error{Kind: gate.NotFound, Code: gate.CodeEvidencePlace, Text: text, Fix: fix}
}

// NoPlace says that the forge takes the evidence only once somebody changed something: kind
// Conflict.
func NoPlace(text, fix string) error {
	return &gate.Error{Kind: gate.Conflict, Code: gate.CodeEvidencePlace, Text: text, Fix: fix}
}

// SameFile compares what a forge has under a file's name with the file: nil where it is the
// same, NoPlace where it is not or cannot be told.
func SameFile(have gate.Asset, f gate.PostFile) error {
	const fix = "find out who put it there; delete it at the forge, then have the evidence told again"
	d, known := have.SHA256.Get()
	want := gate.SHA256(f.Content)
	switch {
	case !known:
		return NoPlace("the forge has a file "+f.Name+" already, and does not tell what is in it: "+have.SHA256.Why(), fix)
	case d != want:
		return NoPlace("the forge has another file "+f.Name+" already: expected SHA-256 "+want.String()+", got "+d.String(), fix)
	}
	return nil
}

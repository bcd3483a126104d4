package hsm

import (
	"fmt"

	"github.com/countersign/countersign/gate"
)

// Faults of the set-up carry paths and labels in their public text: they go to the
// operator, before anybody else can ask for anything. What [Signer.Sign] returns
// carries those only in its chain.

func configFault(text, fix string) error {
	return &gate.Error{Kind: gate.Invalid, Code: gate.CodeConfig, Text: text, Fix: fix}
}

// configFaultOf is configFault for what a module said.
func configFaultOf(text, fix string, err error) error {
	return &gate.Error{Kind: gate.Invalid, Code: gate.CodeConfig, Text: text, Fix: fix, Err: err}
}

func pinFault(text, fix string, err error) error {
	return &gate.Error{Kind: gate.Invalid, Code: gate.CodePIN, Text: text, Fix: fix, Err: err}
}

func tokenFault(text, fix string, err error) error {
	return &gate.Error{Kind: gate.Unavailable, Code: gate.CodeKeyUnavailable, Text: text, Fix: fix, Err: err}
}

func keyFault(code gate.Code, p KeyPin, token, problem, fix string) error {
	return &gate.Error{
		Kind: gate.Invalid, Code: code, Fix: fix,
		Text: fmt.Sprintf("key %s (%s) on token %q: %s", p.name(), p.place(), token, problem),
	}
}

// unavailable is what a caller may try again.
func unavailable(text string, err error) error {
	return &gate.Error{
		Kind: gate.Unavailable, Code: gate.CodeKeyUnavailable, Text: text,
		Fix: "nothing to do: it is tried again; if this stays, the operator finds the cause in the server's log", Err: err,
	}
}

// refused is an order that no worker carries out.
func refused(text, expected, got string) error {
	return &gate.Error{
		Kind: gate.Refused, Code: gate.CodeOrderRefused, Text: text, Expected: expected, Got: got,
		Fix: "this is a fault of the server: report it",
	}
}

// unknown is a key that no pin of this token names.
func unknown(lineage string) error {
	return &gate.Error{
		Kind: gate.Refused, Code: gate.CodeKeyUnknown, Text: "key " + lineage + " is not held here",
		Fix: "the operator configures the key",
	}
}

// misnamed is a key that is pinned, but under another lineage or version.
func misnamed(k pinned, want gate.KeyVersion, fix string) error {
	return &gate.Error{
		Kind: gate.Refused, Code: gate.CodeKeyMismatch, Text: "the key is pinned under another name",
		Expected: k.pin.name(), Got: KeyPin{Lineage: want.Lineage, Version: want.Version}.name(), Fix: fix,
	}
}

// badSignature is final: a device whose faulty signatures are asked for again and
// again may give its key away.
func badSignature(key string) error {
	return &gate.Error{
		Kind: gate.Internal, Code: gate.CodeSignatureBad,
		Text: fmt.Sprintf("the HSM returned a signature that does not verify under key %s; it was thrown away", key),
		Fix:  "the operator checks the device before anybody asks again",
	}
}

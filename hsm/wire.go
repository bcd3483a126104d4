package hsm

import (
	"errors"
	"time"

	"github.com/countersign/countersign/gate"
)

// hello is the first frame to a worker. It holds no secret: the worker reads the PIN.
type hello struct {
	Module  string   `json:"module"`
	Token   string   `json:"token"`
	PINFile string   `json:"pin_file"`
	Keys    []KeyPin `json:"keys"`
}

// batch is every later frame to a worker: orders that are signed all or none.
type batch struct {
	Orders []order `json:"orders"`
}

// order is all that a worker knows of a [gate.Order], or of what the gate's own keys sign.
type order struct {
	Key       string         `json:"key"` // fingerprint
	Purpose   gate.Purpose   `json:"purpose"`
	Mechanism gate.Mechanism `json:"mechanism"`
	Digest    []byte         `json:"digest,omitempty"`  // for ECDSA: SHA-256
	Message   []byte         `json:"message,omitempty"` // for Ed25519, which hashes by itself
	Deadline  time.Time      `json:"deadline"`
}

// reply is every frame from a worker; exactly one field is set.
type reply struct {
	Ready      *ready   `json:"ready,omitempty"`
	Signatures [][]byte `json:"signatures,omitempty"` // in the orders' order
	Fault      *fault   `json:"fault,omitempty"`
}

// ready answers the hello.
type ready struct {
	Software bool     `json:"software"`
	SPKIs    [][]byte `json:"spkis"` // in the pins' order
}

// fault is an error on its way to the daemon's half.
type fault struct {
	Kind     gate.Kind `json:"kind"`
	Code     gate.Code `json:"code"`
	Text     string    `json:"text"`
	Expected string    `json:"expected,omitempty"`
	Got      string    `json:"got,omitempty"`
	Fix      string    `json:"fix,omitempty"`
	Cause    string    `json:"cause,omitempty"`
	// Broken says that the worker's module is not to be used any more.
	Broken bool `json:"broken,omitempty"`
}

func faultOf(err error, broken bool) *fault {
	e, ok := errors.AsType[*gate.Error](err)
	if !ok {
		return &fault{
			Kind: gate.Unavailable, Code: gate.CodeKeyUnavailable, Text: "the HSM does not answer as it should",
			Fix: "the operator checks the device", Cause: err.Error(), Broken: broken,
		}
	}
	f := &fault{
		Kind: e.Kind, Code: e.Code, Text: e.Text, Expected: e.Expected, Got: e.Got, Fix: e.Fix, Broken: broken,
	}
	if e.Err != nil {
		f.Cause = e.Err.Error()
	}
	return f
}

func (f *fault) err() error {
	e := &gate.Error{Kind: f.Kind, Code: f.Code, Text: f.Text, Expected: f.Expected, Got: f.Got, Fix: f.Fix}
	if f.Cause != "" {
		e.Err = errors.New(f.Cause)
	}
	return e
}

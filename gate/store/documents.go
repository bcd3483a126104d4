package store

import (
	"time"

	"github.com/countersign/countersign/gate"
)

// docVersion is the version of the documents behind the leaves. Every document that
// is hashed carries one.
const docVersion = 1

type openedDoc struct {
	V       int          `json:"v"`
	Request gate.Request `json:"request"`
}

type joinedDoc struct {
	V        int            `json:"v"`
	Request  string         `json:"request"`
	Workload gate.Workload  `json:"workload"`
	Actors   []gate.Account `json:"actors"`
	Run      gate.RunFacts  `json:"run"`
}

type approvalDoc struct {
	V        int           `json:"v"`
	Approval gate.Approval `json:"approval"`
}

type decisionDoc struct {
	V        int           `json:"v"`
	Request  string        `json:"request"`
	From     gate.State    `json:"from"`
	To       gate.State    `json:"to"`
	Decision gate.Decision `json:"decision"`
}

type intentsDoc struct {
	V       int           `json:"v"`
	Request string        `json:"request"`
	Attempt int           `json:"attempt"`
	Owner   string        `json:"owner"`
	Lease   time.Time     `json:"lease"`
	Intents []gate.Intent `json:"intents"`
}

type signatureDoc struct {
	V         int            `json:"v"`
	Request   string         `json:"request"`
	Attempt   int            `json:"attempt"`
	Digest    gate.Digest    `json:"digest"`
	Key       string         `json:"key"`
	Version   int            `json:"key_version"`
	Signature gate.Signature `json:"signature"`
}

// orphanedDoc says that the HSM may have signed the digest, and that nobody knows.
type orphanedDoc struct {
	V       int         `json:"v"`
	Request string      `json:"request"`
	Attempt int         `json:"attempt"`
	Intent  string      `json:"intent"`
	Digest  gate.Digest `json:"digest"`
	Key     string      `json:"key"`
	Version int         `json:"key_version"`
}

// lateDoc names signatures that came too late. It holds their hashes alone: a
// signature that counts for nothing is kept nowhere.
type lateDoc struct {
	V          int        `json:"v"`
	Request    string     `json:"request"`
	Attempt    int        `json:"attempt"`
	State      gate.State `json:"state"`
	Signatures []lateSig  `json:"signatures"`
}

type lateSig struct {
	Intent string      `json:"intent"`
	SHA256 gate.Digest `json:"sha256"`
}

type failedDoc struct {
	V       int    `json:"v"`
	Request string `json:"request"`
	Attempt int    `json:"attempt"`
	Why     string `json:"why"`
}

type adoptedDoc struct {
	V        int           `json:"v"`
	Adoption gate.Adoption `json:"adoption"`
}

type publishedDoc struct {
	V       int    `json:"v"`
	Request string `json:"request"`
	// GivenUp is how many posts the forge refused for good.
	GivenUp int `json:"given_up,omitempty"`
}

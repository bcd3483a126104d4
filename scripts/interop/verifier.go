package main

import (
	"context"
)

// A column of the matrix is a form in which a signature is handed out.
type column string

const (
	keyBlob  column = "key, blob"
	keyDSSE  column = "key, DSSE"
	certBlob column = "cert, blob"
	certDSSE column = "cert, DSSE"
	sums     column = "SHA256SUMS"
	stamps   column = "timestamp"
	whole    column = "folder"
)

func columns() []column { return []column{keyBlob, keyDSSE, certBlob, certDSSE, sums, stamps, whole} }

// A verifier is one stock tool with all that it can check.
type verifier struct {
	name  string
	cells map[column]check

	log    bool // whether it looks at log entries
	github bool // whether it knows certificates of repositories on github.com alone
	bare   bool // whether it takes the VSA's envelope with no bundle around it
	manual bool // whether it is the manual's commands, which want a release with everything
	sums   pair // what it checks SHA256SUMS with
}

// A pair is a signature and what holds its key, by file name.
type pair struct{ signature, key string }

// A check runs a verifier once: it gives what the verifier said, and errRefused where
// that was no.
type check struct {
	run     func(ctx context.Context, t toolbox, in inputs) (string, error)
	refuses []refusal
}

// A refusal is a twin with what a verifier has to say of it: a regular expression.
type refusal struct {
	twin
	because string
}

func verifiers() []verifier {
	return []verifier{
		cosign(), sigstoreGo(), npmVerify(), npmSigstore(), gh(), slsaVerifier(), openSSL(), sshKeygen(), gnuPG(), own(), manual(),
	}
}

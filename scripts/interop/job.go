package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// A job is one check of one verifier on one file, and on its twins.
type job struct {
	verifier string
	column   column
	check    check
	label    string // what is checked, for people
	inputs   inputs
	accepts  []twin // changed copies in which nothing is wrong
}

// jobs are all checks that the folder's files allow.
func jobs(f folder, all []verifier, page string) ([]job, error) {
	var out []job
	for _, v := range all {
		for _, c := range columns() {
			list, err := f.cell(v, c, page)
			if err != nil {
				return nil, err
			}
			out = append(out, list...)
		}
	}
	return out, nil
}

// cell are the checks of one cell of the matrix.
func (f *folder) cell(v verifier, c column, page string) ([]job, error) {
	check, ok := v.cells[c]
	if !ok || !f.offers(v, c) {
		return nil, nil
	}
	list, err := f.inputs(v, c, page)
	if err != nil {
		return nil, err
	}
	var out []job
	for i, in := range list {
		if i > 0 {
			check.refuses = brief(check.refuses)
		}
		label := strings.TrimPrefix(in.proof, f.dir+"/")
		if in.kind != "" {
			label += " of " + strings.TrimPrefix(in.artifact, f.dir+"/")
		}
		one := job{verifier: v.name, column: c, check: check, label: label, inputs: in}
		if v.log && i == 0 && c != whole {
			one.accepts = []twin{cosigned}
		}
		out = append(out, one)
	}
	return out, nil
}

// brief leaves out what was tried on a cell's first file already.
func brief(all []refusal) []refusal {
	return slices.DeleteFunc(slices.Clone(all), func(r refusal) bool {
		return r.name != changedArtifact.name && r.name != changedFiles.name &&
			r.name != changedSignature.name && r.name != changedProof.name
	})
}

// offers says whether the folder has what a verifier wants in a column. What no folder has
// is found in the end.
func (f *folder) offers(v verifier, c column) bool {
	switch c {
	case certBlob, certDSSE:
		return f.certified && (!v.github || strings.HasPrefix(f.signer.Repository, github))
	case sums:
		return f.has(v.sums.signature)
	case keyDSSE:
		return !v.bare || f.has(f.statement(vsaSuffix)+dsseSuffix)
	case whole:
		return !v.manual || f.certified && strings.HasPrefix(f.signer.Repository, github) &&
			f.has("SHA256SUMS.sig") && f.has("SHA256SUMS.sshsig") && f.has("SHA256SUMS.asc")
	case keyBlob, stamps:
	}
	return true
}

// inputs are what a verifier gets to see in one column: file after file.
func (f *folder) inputs(v verifier, c column, page string) ([]inputs, error) {
	switch c {
	case keyBlob, stamps:
		return f.blobs(bundleSuffix)
	case certBlob:
		return f.blobs(certSuffix)
	case keyDSSE:
		if v.bare {
			return f.envelopes([]string{f.statement(vsaSuffix)}, dsseSuffix, bundleSuffix)
		}
		return f.envelopes(f.statements, bundleSuffix, bundleSuffix)
	case certDSSE:
		return f.envelopes(f.statements, certSuffix, certSuffix)
	case sums:
		in := f.common()
		in.artifact, in.proof, in.key = f.path("SHA256SUMS"), f.path(v.sums.signature), f.path(v.sums.key)
		return []inputs{in}, nil
	case whole:
		if v.manual {
			return f.manualInputs(page)
		}
		in := f.common()
		in.artifact, in.proof = f.path(f.subjects[0]), f.dir
		return []inputs{in}, nil
	}
	return nil, fmt.Errorf("expected a column of the matrix, got %q", c)
}

func (f *folder) common() inputs {
	return inputs{
		folder: f.dir, key: f.path("countersign.pem"), root: f.path("trusted_root.json"),
		signer: f.signer, summary: f.summary,
	}
}

// blobs are the subjects with their bundles; the VSA's is the one that does not belong.
func (f *folder) blobs(suffix string) ([]inputs, error) {
	hint, err := keyHint(f.path(f.statement(vsaSuffix) + bundleSuffix))
	if err != nil {
		return nil, err
	}
	var out []inputs
	for _, name := range f.subjects {
		in := f.common()
		in.artifact, in.proof, in.hint = f.path(name), f.path(name+suffix), hint
		in.other = f.path(f.statement(vsaSuffix) + suffix)
		out = append(out, in)
	}
	return out, nil
}

// envelopes are statements: the VSA with every file that it speaks of, the others with one.
func (f *folder) envelopes(statements []string, suffix, otherSuffix string) ([]inputs, error) {
	hint, err := keyHint(f.path(f.statement(vsaSuffix) + bundleSuffix))
	if err != nil {
		return nil, err
	}
	var out []inputs
	for _, name := range statements {
		kind, files, err := f.spokenOf(name + suffix)
		if err != nil {
			return nil, err
		}
		if name != f.statement(vsaSuffix) {
			files = files[:1]
		}
		for _, file := range files {
			in := f.common()
			in.artifact, in.proof, in.hint, in.kind = f.path(file), f.path(name+suffix), hint, kind
			in.other = f.path(f.subjects[0] + otherSuffix)
			out = append(out, in)
		}
	}
	return out, nil
}

// spokenOf gives a statement's predicate type and those of its subjects that are files of
// the folder: at least one.
func (f *folder) spokenOf(name string) (string, []string, error) {
	e, err := readEnvelope(f.path(name))
	if err != nil {
		return "", nil, err
	}
	var statement struct {
		Kind    string `json:"predicateType"`
		Subject []struct {
			Name   string            `json:"name"`
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
	}
	if err := json.Unmarshal(e.payload, &statement); err != nil {
		return "", nil, fmt.Errorf("statement in %s: %w", name, err)
	}
	var files []string
	for _, file := range append(slices.Clone(f.subjects), "SHA256SUMS") {
		b, err := os.ReadFile(f.path(file))
		if err != nil {
			return "", nil, err
		}
		sum := sha256.Sum256(b)
		for _, s := range statement.Subject {
			if s.Digest["sha256"] == hex.EncodeToString(sum[:]) {
				files = append(files, file)
				break
			}
		}
	}
	if len(files) == 0 {
		return "", nil, fmt.Errorf("statement in %s: expected a subject that is a file of %s, got none", name, f.dir)
	}
	return statement.Kind, files, nil
}

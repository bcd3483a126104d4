package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/canonical"
	"github.com/countersign/countersign/gate/workload"
)

const (
	maxAsk     = 1 << 20 // bytes: a thousand subjects with long names fit
	maxWait    = time.Minute
	maxToken   = 16 << 10 // bytes
	pollPeriod = time.Second
)

// ask opens or joins the request that a job asks for.
func (s *server) ask(w http.ResponseWriter, r *http.Request) error {
	raw, err := bearer(r)
	if err != nil {
		return err
	}
	ask, err := s.decodeAsk(w, r)
	if err != nil {
		return err
	}
	hash, err := canonical.AskHash(ask)
	if err != nil {
		return err
	}
	job, err := s.Verifier.Verify(r.Context(), raw, workload.Audience{
		GitHub: canonical.AskAudience(s.Server.Host, hash), GitLab: s.Server.String(),
	})
	if err != nil {
		return err
	}
	rec, joined, err := s.Releases.Open(r.Context(), job, ask)
	if err != nil {
		return err
	}
	view := s.Releases.View(rec)
	view.Joined = joined
	w.Header().Set("Location", s.Server.JoinPath("v1", "releases", view.ID).String())
	return writeJSON(w, http.StatusAccepted, view)
}

// bearer takes the ID token off the request.
func bearer(r *http.Request) (string, error) {
	raw, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || raw == "" || len(raw) > maxToken {
		return "", &gate.Error{
			Kind: gate.Unidentified, Code: gate.CodeTokenMissing, Text: "no ID token came with the request",
			Expected: "Authorization: Bearer <ID token of the CI job>", Got: "none that fits",
			Fix: "on GitHub give the job `permissions: id-token: write`, on GitLab `id_tokens:`",
		}
	}
	return raw, nil
}

// decodeAsk reads exactly one JSON object of the known members into a canonical ask.
func (s *server) decodeAsk(w http.ResponseWriter, r *http.Request) (gate.Ask, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAsk))
	if err != nil {
		return gate.Ask{}, unreadBody(err, gate.CodeBodyTooLarge, maxAsk)
	}
	var in api.Ask
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return gate.Ask{}, malformed(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return gate.Ask{}, malformed(errors.New("more follows the object"))
	}
	repository, err := gate.ParseRepositoryID(in.Repository)
	if err != nil {
		return gate.Ask{}, malformed(err)
	}
	manifest, err := canonical.NewManifest(in.Subjects)
	if err != nil {
		return gate.Ask{}, err
	}
	if err := errors.Join(canonical.CheckRef(in.Ref), canonical.CheckCommit(in.Commit)); err != nil {
		return gate.Ask{}, err
	}
	return gate.Ask{
		Server: s.Server.Host, Repository: repository, Ref: in.Ref, Commit: in.Commit,
		Stream: in.Stream, Manifest: manifest,
	}, nil
}

func malformed(err error) error {
	return &gate.Error{
		Kind: gate.Invalid, Code: gate.CodeBodyMalformed, Text: "the body is no ask",
		Expected: `one JSON object {"repository","ref","commit","stream","subjects"}`, Got: err.Error(),
		Fix: "send what the manual's API page shows, or use the countersign client",
	}
}

func unreadBody(err error, tooLarge gate.Code, limit int) error {
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return &gate.Error{
			Kind: gate.Invalid, Code: tooLarge, Text: "the body is too large",
			Expected: fmt.Sprintf("at most %d bytes", limit), Got: "more", Fix: "send less",
		}
	}
	return &gate.Error{
		Kind: gate.Invalid, Code: gate.CodeBodyMalformed, Text: "the body broke off",
		Expected: "a whole body", Got: "a part of it", Fix: "send it again", Err: err,
	}
}

// identify verifies an ID token that was made for a request.
func (s *server) identify(r *http.Request, id string) (gate.Workload, error) {
	raw, err := bearer(r)
	if err != nil {
		return gate.Workload{}, err
	}
	return s.Verifier.Verify(r.Context(), raw, workload.Audience{
		GitHub: canonical.RequestAudience(s.Server.Host, id), GitLab: s.Server.String(),
	})
}

// show answers the state of a request, at once or when it changes.
func (s *server) show(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "id")
	wait, err := waitOf(r)
	if err != nil {
		return err
	}
	job, err := s.identify(r, id)
	if err != nil {
		return err
	}
	rec, err := s.Releases.Show(r.Context(), job, id)
	if err != nil {
		return err
	}
	if rec, err = s.changed(r.Context(), rec, wait); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.Releases.View(rec))
}

func waitOf(r *http.Request) (time.Duration, error) {
	text := r.URL.Query().Get("wait")
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 || wait > maxWait {
		return 0, &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeBodyMalformed, Text: "wait is no duration that can be waited",
			Expected: "0s to " + maxWait.String(), Got: text, Fix: "ask with ?wait=30s and ask again",
		}
	}
	return wait, nil
}

// changed waits until the record is no longer as it is, or is done, or time is up.
func (s *server) changed(ctx context.Context, rec gate.Record, wait time.Duration) (gate.Record, error) {
	done := func(r gate.Record) bool {
		return r.State == gate.StateSigned || r.State.Ended() || r.Version != rec.Version
	}
	end := s.Now().Add(wait)
	for now := rec; ; {
		left := end.Sub(s.Now())
		if done(now) || left <= 0 {
			return now, nil
		}
		woken := s.Wake()
		select {
		case <-ctx.Done():
			return now, nil
		case <-woken:
		case <-time.After(min(left, pollPeriod)):
		}
		var err error
		if now, err = s.Shelf.Request(ctx, rec.Request.ID); err != nil {
			return now, err
		}
	}
}

// collect hands a signed request's files out.
func (s *server) collect(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "id")
	job, err := s.identify(r, id)
	if err != nil {
		return err
	}
	rec, files, err := s.Releases.Collect(r.Context(), job, id)
	if err != nil {
		return err
	}
	out := api.Collected{Release: s.Releases.View(rec), Files: make([]api.File, 0, len(files))}
	for _, f := range files {
		out.Files = append(out.Files, api.File{Name: f.Name, Content: f.Content})
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *server) forges(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, s.Forges)
}

func (s *server) keys(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, s.Keys)
}

// keyPEM answers the public keys of a lineage, newest first.
func (s *server) keyPEM(w http.ResponseWriter, r *http.Request) error {
	lineage := chi.URLParam(r, "lineage")
	var out strings.Builder
	for _, k := range s.Keys {
		if k.Lineage == lineage {
			out.WriteString(k.PEM)
		}
	}
	if out.Len() == 0 {
		return &gate.Error{
			Kind: gate.NotFound, Code: gate.CodeKeyUnknown, Text: "no key of this lineage",
			Expected: "a lineage of /v1/keys", Got: lineage, Fix: "see /v1/keys",
		}
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = io.WriteString(w, out.String())
	return nil
}

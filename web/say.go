package web

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/web/session"
)

// saidBody is the body of POST /v1/releases/{id}/approve and its like.
type saidBody struct {
	Manifest gate.Digest `json:"manifest_digest"`
	Reason   string      `json:"reason"`
}

// say takes what a signed-in person says of a release: from a form, which leads back to the
// page, or from JSON, which is answered with the release. Their right is read at the forge
// first; whether it counts says the judgement that follows.
func (s *server) say(verb gate.Verb) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		v := visitorOf(r.Context())
		if err := mustSignIn(v); err != nil {
			return err
		}
		id, err := requestID(r)
		if err != nil {
			return none()
		}
		rec, err := s.readable(r.Context(), v, id)
		if err != nil {
			return err
		}
		said, isForm, err := readSaid(w, r)
		if err != nil {
			return err
		}
		if err := s.mustHaveRight(r, v, rec); err != nil {
			return err
		}
		woken := s.Wake() // before it is said: what comes of it is not missed
		now, err := s.Releases.Say(r.Context(), release.Words{
			Request: id, By: v.Account, Verb: verb, Manifest: said.Manifest, Reason: said.Reason,
		})
		if err != nil {
			return err
		}
		now, verdict := s.verdict(r.Context(), now, v.Account.ID, verb, woken)
		s.Log.InfoContext(r.Context(), "said on a page", "request", id, "verb", string(verb), "account", v.Account.ID.String())
		if !isForm {
			return writeJSON(w, http.StatusOK, s.view(now))
		}
		s.sessions.Tell(r.Context(), noticeOf(verb, verdict))
		http.Redirect(w, r, "/releases/"+id, http.StatusSeeOther)
		return nil
	}
}

// verdictWithin is how long somebody waits for what the judgement makes of what they said.
const verdictWithin = 4 * time.Second

// verdict waits until the judgement has seen what somebody just said, and returns the
// release as it is then. The statement is nil where it takes longer, or there is none.
func (s *server) verdict(
	ctx context.Context, rec gate.Record, who gate.AccountID, verb gate.Verb, woken <-chan struct{},
) (gate.Record, *api.Statement) {
	if verb == gate.VerbWithdraw || verb == gate.VerbUnhold {
		return rec, nil
	}
	ctx, cancel := context.WithTimeout(ctx, verdictWithin)
	defer cancel()
	look := time.NewTicker(pollPeriod)
	defer look.Stop()
	for {
		for _, said := range s.view(rec).Statements {
			if said.Page && said.By.ID == who && said.Verb == verb {
				return rec, &said
			}
		}
		select {
		case <-ctx.Done():
			return rec, nil
		case <-drained(ctx):
			return rec, nil
		case <-woken:
		case <-look.C:
		}
		woken = s.Wake()
		next, err := s.Shelf.Request(ctx, rec.Request.ID)
		if err != nil {
			return rec, nil // it is said all the same
		}
		rec = next
	}
}

// noticeOf is what the page says of what was just said on it.
func noticeOf(verb gate.Verb, verdict *api.Statement) session.Notice {
	switch {
	case verdict == nil:
		return session.Notice{Text: taken(verb)}
	case !verdict.Counts:
		return session.Notice{Bad: true, Text: "On record, but it does not count: " + verdict.Why}
	case verb == gate.VerbApprove:
		return session.Notice{Text: "Your approval counts. The release is signed as soon as nothing is missing."}
	}
	return session.Notice{Text: taken(verb)}
}

// taken says what becomes of what somebody said.
func taken(verb gate.Verb) string {
	switch verb {
	case gate.VerbApprove:
		return "Your approval is on record. The release is judged anew, and signed as soon as nothing is missing."
	case gate.VerbDeny:
		return "Your denial is on record, with its reason."
	case gate.VerbHold:
		return "Your hold is on record. Nothing is signed until you or somebody who can approve lifts it."
	case gate.VerbUnhold:
		return "On record: the hold is lifted."
	case gate.VerbWithdraw:
		return "On record: your approval is taken back."
	case gate.VerbRetry, gate.VerbStatus, gate.VerbHelp:
	}
	return "On record."
}

// mustHaveRight reads, now, whether somebody has any right in the release's repository.
// What is not known is none: a session tells who somebody was, not what they may do.
func (s *server) mustHaveRight(r *http.Request, v visitor, rec gate.Record) error {
	repository := rec.Request.Repository
	forge := s.forgeLabel(repository.Forge)
	if v.Account.ID.Forge != repository.Forge {
		return &gate.Error{
			Kind: gate.Refused, Code: gate.CodeNotEligible, Text: "you are signed in at another forge than this release's",
			Expected: forge, Got: s.forgeLabel(v.Account.ID.Forge), Fix: "sign out, and sign in with " + forge,
		}
	}
	role, known := s.rightNow(r.Context(), repository, v.Account.ID)
	switch {
	case !known:
		return &gate.Error{
			Kind: gate.Unavailable, Code: gate.CodeForgeUnavailable, Text: forge + " did not say what you may do in " + rec.Request.RepositoryName + ": nothing was done",
			Fix: "try again in a minute, or comment at the forge instead",
		}
	case role == gate.RoleNone:
		s.readers.put(reading{v.Account.ID, repository}, gate.RoleNone, true)
		return &gate.Error{
			Kind: gate.Refused, Code: gate.CodeNotEligible,
			Text:     fmt.Sprintf("@%s has no right in %s now: nothing was done", v.Account.Login, rec.Request.RepositoryName),
			Expected: "a right in the repository, as of now", Got: "none",
			Fix: "ask somebody whom the page names as able to approve; an administrator of the repository gives rights",
		}
	}
	return nil
}

// readSaid reads what was said, and whether a form said it.
func readSaid(w http.ResponseWriter, r *http.Request) (said saidBody, isForm bool, err error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && media == "application/json" {
		body, err := bodyRule{limit: maxForm, tooLarge: gate.CodeBodyTooLarge, broken: gate.CodeBodyMalformed}.read(w, r)
		if err != nil {
			return saidBody{}, false, err
		}
		var raw struct {
			Manifest string `json:"manifest_digest"`
			Reason   string `json:"reason"`
		}
		if err := decodeStrict(body, &raw); err != nil {
			return saidBody{}, false, &gate.Error{
				Kind: gate.Invalid, Code: gate.CodeBodyMalformed, Text: "the body does not read",
				Expected: `one JSON object {"manifest_digest","reason"}`, Got: err.Error(), Fix: "send what the manual's API page shows",
			}
		}
		said, err := saidOf(raw.Manifest, raw.Reason)
		return said, false, err
	}
	if err := readForm(w, r); err != nil {
		return saidBody{}, true, err
	}
	said, err = saidOf(r.PostForm.Get("manifest"), r.PostForm.Get("reason"))
	return said, true, err
}

// saidOf reads the digest of what the speaker saw.
func saidOf(manifest, reason string) (saidBody, error) {
	said := saidBody{Reason: strings.TrimSpace(reason)}
	if err := said.Manifest.UnmarshalText([]byte(manifest)); err != nil {
		return saidBody{}, &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeParameter, Text: "the digest of what is spoken of does not read",
			Expected: "the manifest's SHA-256 as 64 lower-case hex digits", Got: quoted(manifest),
			Fix: "load the release's page again, and use its own buttons",
		}
	}
	return said, nil
}

package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/canonical"
	"github.com/countersign/countersign/gate/workload"
)

// maxToken is far more than any forge's ID token, in bytes.
const maxToken = 16 << 10

// askRule leaves room for a thousand subjects with long names.
func askRule() bodyRule {
	return bodyRule{limit: 1 << 20, tooLarge: gate.CodeBodyTooLarge, broken: gate.CodeBodyMalformed}
}

// ask opens or joins the request that a job asks for.
func (s *server) ask(w http.ResponseWriter, r *http.Request) error {
	raw, err := bearer(r)
	if err != nil {
		return err
	}
	body, err := askRule().read(w, r)
	if err != nil {
		return err
	}
	ask, err := s.decodeAsk(body)
	if err != nil {
		return err
	}
	hash, err := canonical.AskHash(ask)
	if err != nil {
		return err
	}
	job, err := s.identify(r, raw, canonical.AskAudience(s.Server.Host, hash), ask)
	if err != nil {
		return err
	}
	rec, joined, err := s.Releases.Open(r.Context(), job, ask)
	if err != nil {
		return workload.Told(err, job, ask, s.Now())
	}
	view := s.view(rec)
	view.Joined = joined
	w.Header().Set("Location", s.Server.JoinPath("v1", "releases", view.ID).String())
	return writeJSON(w, http.StatusAccepted, view)
}

// bearer takes the ID token off the request.
func bearer(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	scheme, raw, _ := strings.Cut(strings.Join(values, ", "), " ")
	raw = strings.TrimLeft(raw, " ")
	switch {
	case len(values) == 0:
		return "", noToken("none")
	case len(values) > 1:
		return "", noToken("several Authorization headers")
	case !strings.EqualFold(scheme, "Bearer"):
		return "", noToken("another scheme")
	case raw == "":
		return "", noToken("Bearer and nothing after it")
	case len(raw) > maxToken:
		return "", &gate.Error{
			Kind: gate.Unidentified, Code: gate.CodeTokenMalformed, Text: "what came as an ID token is too long to be one",
			Expected: fmt.Sprintf("at most %d bytes", maxToken), Got: fmt.Sprintf("%d bytes", len(raw)),
			Fix: "send the token that the CI issued for this job, unchanged",
		}
	}
	return raw, nil
}

func noToken(got string) error {
	return &gate.Error{
		Kind: gate.Unidentified, Code: gate.CodeTokenMissing, Text: "no ID token came with the request",
		Expected: "Authorization: Bearer <ID token of the CI job>", Got: got,
		Fix: "on GitHub give the job `permissions: id-token: write`, on GitLab `id_tokens:`",
	}
}

// identify verifies an ID token, that of an ask where there is one. Whether an old one's
// job still runs is then for [Releases] to ask the forge.
func (s *server) identify(r *http.Request, raw, audience string, ask gate.Ask) (gate.Workload, error) {
	return s.Verifier.Verify(r.Context(), raw, workload.Audience{
		GitHub: audience, GitLab: s.origin(), RunChecked: true, Ask: ask,
	})
}

// askBody is api.Ask with its digests as they came, so that a bad one can be named.
type askBody struct {
	Repository string        `json:"repository"`
	Ref        string        `json:"ref"`
	Commit     string        `json:"commit"`
	Stream     string        `json:"stream"`
	Subjects   []subjectBody `json:"subjects"`
}

type subjectBody struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// decodeAsk reads exactly one JSON object of the known members into a canonical ask.
func (s *server) decodeAsk(body []byte) (gate.Ask, error) {
	var in askBody
	if err := decodeStrict(body, &in); err != nil {
		return gate.Ask{}, &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeBodyMalformed, Text: "the body is no ask",
			Expected: `one JSON object {"repository","ref","commit","stream","subjects"}`, Got: err.Error(),
			Fix: "send what the manual's API page shows, or use the countersign client",
		}
	}
	repository, err := gate.ParseRepositoryID(in.Repository)
	if err != nil {
		return gate.Ask{}, &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeBodyMalformed, Text: "the ask names no repository",
			Expected: "forge:number, such as github:1296269", Got: quoted(in.Repository),
			Fix: "take the forge's name from /v1/forges and the number from the CI: GITHUB_REPOSITORY_ID, CI_PROJECT_ID",
		}
	}
	subjects, err := subjectsOf(in.Subjects)
	if err != nil {
		return gate.Ask{}, err
	}
	manifest, err := canonical.NewManifest(subjects)
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

func subjectsOf(in []subjectBody) ([]gate.Subject, error) {
	out := make([]gate.Subject, len(in))
	for i, b := range in {
		out[i].Name = b.Name
		if err := out[i].SHA256.UnmarshalText([]byte(b.SHA256)); err != nil {
			return nil, &gate.Error{
				Kind: gate.Invalid, Code: gate.CodeSubjects, Text: "the digest of subject " + quoted(b.Name) + " is none",
				Expected: "sha256 as 64 lower-case hex digits", Got: quoted(b.SHA256), Fix: "send what sha256sum prints",
			}
		}
	}
	return out, nil
}

package probe_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/forges/probe"
	"github.com/countersign/countersign/forges/probe/transcript"
)

func benches(t *testing.T, each func(*bench)) {
	t.Helper()
	t.Run("github", func(t *testing.T) { each(onGitHub(t, githubtest.Options{})) })
	t.Run("gitlab", func(t *testing.T) { each(onGitLab(t, gitlabtest.Options{})) })
}

// A transcript tells the same as the forge that it was recorded at.
func TestReplayFindsTheSame(t *testing.T) {
	benches(t, func(b *bench) {
		t := b.t
		live, rec := b.probe()
		text := b.written(rec)
		replay, err := transcript.Read(strings.NewReader(text), probe.OwnTexts())
		if err != nil {
			t.Fatal(err)
		}
		h := replay.Header()
		same(t, live, b.again(replay, h, h.URL, h.API))
		t.Logf("calls without a record: %q", replay.Strays()) // names the redaction that would have to keep more
		// And again, as a server.
		if replay, err = transcript.Read(strings.NewReader(text), probe.OwnTexts()); err != nil {
			t.Fatal(err)
		}
		s := httptest.NewServer(replay)
		defer s.Close()
		same(t, live, b.again(http.DefaultTransport, h, s.URL, strings.Replace(h.API, h.URL, s.URL, 1)))
	})
}

// again probes what is recorded.
func (b *bench) again(rt http.RoundTripper, h transcript.Header, url, api string) probe.Report {
	b.t.Helper()
	r, err := probe.Run(b.t.Context(), b.configAt(rt, url, api, h.About["repository"], h.About["ref"], h.About["public"], h.About["team"]))
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func same(t *testing.T, live, again probe.Report) {
	t.Helper()
	for _, f := range probe.Facts(live.Kind) {
		was, is := live.Find(f.ID), again.Find(f.ID)
		if was.Outcome != is.Outcome || was.Why != is.Why {
			t.Errorf("%s: expected %s (%s), got %s (%s)", f.ID, was.Outcome, was.Why, is.Outcome, is.Why)
		}
	}
}

// Neither a secret nor a name gets into a transcript.
func TestTranscriptTellsNobody(t *testing.T) {
	benches(t, func(b *bench) {
		_, rec := b.probe()
		text := b.written(rec)
		denied := []string{
			secret, "PRIVATE KEY", "ghs_", "glpat-", "eyJ", "Bearer",
			b.ana.Login, b.bo.Login, b.bot.Login, b.ana.Email, "acme", "scratch-of", "slashed-name", "to-be-deleted", "moved-forward",
			"secret-plan", "hidden-heads", "private matter", "in private", "confidential title", "Bump", "elsewhere/public", b.world.URL(), "127.0.0.1",
		}
		if b.token != "" {
			denied = append(denied, b.token)
		} else {
			denied = append(denied, strings.Split(string(b.key), "\n")[1:5]...)
		}
		for _, d := range denied {
			if at := strings.Index(strings.ToLower(text), strings.ToLower(d)); at >= 0 {
				b.t.Errorf("the transcript tells %q: …%s…", d, text[max(0, at-150):min(len(text), at+100)])
			}
		}
		for i, line := range bytes.Split([]byte(text), []byte("\n")) {
			if bytes.Contains(line, []byte("@")) && !bytes.Contains(line, []byte("@invalid")) {
				b.t.Errorf("line %d holds an address: %s", i+1, line)
			}
		}
	})
}

package main_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/gate/voice"
	"github.com/countersign/countersign/gate/voice/voicetest"
)

// The client says of every scene what the comment, the check run and the page say.
func TestOneVoice(t *testing.T) {
	for name, scene := range voicetest.Scenes() {
		rec, err := voicetest.Record(scene)
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t)
		w.env["GITHUB_STEP_SUMMARY"] = w.put("summary.md", "")
		server, err := url.Parse(w.server.URL)
		if err != nil {
			t.Fatal(err)
		}
		w.states = []api.Release{release.New(release.Config{Server: server}).View(rec)}
		got := w.run("status", "--request-id", requestID)
		for _, words := range []string{voice.Headline(scene), voice.Standing(scene)} {
			if !strings.Contains(got.stdout+got.stderr, words) {
				t.Errorf("%s: the client does not say %q:\n%s%s", name, words, got.stdout, got.stderr)
			}
		}
		if nobody := voice.Nobody(scene.Decision.CanApprove, scene.Decision.CannotApprove); scene.Decision.People > 0 && !rec.State.Ended() && !strings.Contains(got.stdout, nobody) {
			t.Errorf("%s: the client does not say %q:\n%s", name, nobody, got.stdout)
		}
		for _, c := range scene.Decision.Checks {
			if title := voice.CheckTitle(c.Name); !rec.State.Ended() && !strings.Contains(got.stdout, title) {
				t.Errorf("%s: the client does not name %q:\n%s", name, title, got.stdout)
			}
		}
	}
}

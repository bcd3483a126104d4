package web_test

import (
	"html"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/voice"
	"github.com/countersign/countersign/gate/voice/voicetest"
)

// The page and the API say of every scene what the comment and the check run say.
func TestOneVoice(t *testing.T) {
	for name, scene := range voicetest.Scenes() {
		rec, err := voicetest.Record(scene)
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t)
		w.put(rec)
		page := w.look(t, "/releases/"+rec.Request.ID).Body.String()
		answer := w.call(t, "GET", "/v1/releases/"+rec.Request.ID, "", "Authorization: Bearer "+goodJob).Body.String()
		for room, text := range map[string]string{"page": html.UnescapeString(page), "API": answer} {
			if scene.State == gate.StateWaiting && room == "page" {
				if nobody := voice.Nobody(scene.Decision.CanApprove, scene.Decision.CannotApprove); !strings.Contains(text, nobody) {
					t.Errorf("%s: the page does not say %q", name, nobody)
				}
			}
			for _, words := range []string{voice.Headline(scene), voice.Standing(scene)} {
				if !strings.Contains(text, words) {
					t.Errorf("%s: the %s does not say %q:\n%s", name, room, words, text)
				}
			}
		}
		for _, c := range scene.Decision.Checks {
			if !strings.Contains(page, voice.CheckTitle(c.Name)) && scene.Decision.Outcome == 0 {
				t.Errorf("%s: the page does not name %q", name, voice.CheckTitle(c.Name))
			}
		}
	}
}

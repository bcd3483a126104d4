package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate/gatetest"
)

// attack 64: no URL that a caller names is called, believed or repeated: not its
// forge's, not its own, not the server's.
func TestForeignURLsAreIgnored(t *testing.T) {
	bait := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("somebody called %s", r.URL)
	}))
	defer bait.Close()
	w := newWorld(t)
	body := `{"repository":{"url":"` + bait.URL + `"},"callback_url":"` + bait.URL + `"}`
	headers := []string{auth}
	for _, name := range []string{"X-Gitlab-Instance", "X-Forwarded-Host", "Forwarded", "Referer", "Origin", "X-Original-URL"} {
		headers = append(headers, name+": "+bait.URL)
	}
	delivery := w.call(t, http.MethodPost, hook, body, append(headers, signature(body), "X-GitHub-Delivery: d-1")...)
	if delivery.Code != http.StatusAccepted {
		t.Errorf("answered %d %s", delivery.Code, delivery.Body)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, bait.URL+"/v1/releases", strings.NewReader(askOf()))
	r.Header.Set("Authorization", "Bearer "+goodJob)
	r.Header.Set("X-Forwarded-Host", "evil.example")
	out := httptest.NewRecorder()
	w.handler.ServeHTTP(out, r)
	if at := out.Header().Get("Location"); at != origin+"/v1/releases/"+gatetest.RequestID {
		t.Errorf("Location is %s", at)
	}
	if want := w.wants[0]; !strings.HasPrefix(want.GitHub, "countersign:sign.example.org:ask:") || want.GitLab != origin {
		t.Errorf("the ID token has to be for %+v", want)
	}
	if w.asks[0].Server != "sign.example.org" {
		t.Errorf("asked %+v", w.asks[0])
	}
}

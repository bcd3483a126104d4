package github_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest/adaptertest"
	"github.com/countersign/countersign/forges/github"
	"github.com/countersign/countersign/gate"
)

// says answers every call to a path's end with its body, all else with 204.
type says map[string]struct {
	status int
	body   []byte
}

func (s says) RoundTrip(r *http.Request) (*http.Response, error) {
	out := &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: http.NoBody, Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	for end, a := range s {
		if strings.HasSuffix(r.URL.Path, end) {
			out.StatusCode, out.Body = a.status, io.NopCloser(bytes.NewReader(a.body))
		}
	}
	return out, nil
}

func (s says) client() *http.Client { return &http.Client{Transport: s} }

// Whatever GitHub answers, who is let in is a person with a number, and no part of an answer
// that may hold a token is told.
func FuzzSignInAnswers(f *testing.F) {
	key := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(sharedKey())})
	const token = `{"access_token":"ghu_marked","token_type":"bearer"}`
	for _, seed := range []struct {
		status      int
		token, user string
	}{
		{200, token, `{"id":7,"login":"ana","type":"User"}`}, {200, token, `{"id":7,"login":"ana[bot]","type":"User"}`},
		{200, `{"error":"bad_verification_code"}`, ""}, {404, "Not Found", ""}, {200, "null", "null"}, {500, token, ""},
		{200, "access_token=ghu_marked&token_type=bearer", ""}, {200, token, `{"id":-1,"login":"ana","type":"User"}`}, {200, token, `{"id":7e30}`},
	} {
		f.Add(seed.status, []byte(seed.token), []byte(seed.user))
	}
	f.Fuzz(func(t *testing.T, status int, token, user []byte) {
		if status < 100 || status > 599 {
			return
		}
		answers := says{"/login/oauth/access_token": {status, token}, "/user": {http.StatusOK, user}}
		forge, err := github.New(github.Config{
			Forge: adaptertest.ForgeID, URL: "https://github.example", APIURL: "https://api.github.example", AppID: 1, PrivateKey: key,
			WebhookSecret: []byte(secret), ClientID: "Iv1.x", ClientSecret: []byte("the client's secret"), Client: answers.client(), Now: fixedNow,
		})
		if err != nil {
			t.Fatal(err)
		}
		who, err := forge.Identify(t.Context(), "thecode", verifier, callback)
		if (err == nil) != (who != gate.Account{}) || err == nil && (who.ID.ID <= 0 || who.Login == "" || !who.Human) {
			t.Errorf("got %+v, %v", who, err)
		}
		if err != nil && (strings.Contains(err.Error(), "ghu_marked") || strings.Contains(err.Error(), "the client's secret")) {
			t.Errorf("the error tells %v", err)
		}
	})
}

// Whatever GitHub answers, an App is taken whole or not at all.
func FuzzConversion(f *testing.F) {
	key := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(sharedKey())})
	whole := `{"id":7,"slug":"gate","html_url":"https://github.com/apps/gate","owner":{"id":8,"login":"acme","type":"Organization"},` +
		`"client_id":"Iv1.x","client_secret":"marked-secret","webhook_secret":"marked-hook","pem":` + string(must(json.Marshal(string(key)))) + `}`
	for _, body := range []string{whole, "null", "{}", strings.Replace(whole, "7", "-7", 1), strings.Replace(whole, "https:", "javascript:", 1), whole[:40]} {
		f.Add(http.StatusCreated, []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 100 || status > 599 {
			return
		}
		app, err := github.Convert(t.Context(), says{"/conversions": {status, body}}.client(), "https://api.github.example", "thecodeofthisflow")
		if (err == nil) != (app != github.App{}) {
			t.Errorf("got %+v, %v", app, err)
		}
		if err == nil && (app.ID <= 0 || app.OwnerID <= 0 || app.PrivateKey.Reveal() == "" || app.WebhookSecret.Reveal() == "" || app.ClientSecret.Reveal() == "" ||
			!strings.HasPrefix(app.InstallURL(), "http")) {
			t.Errorf("half an App: %+v", app)
		}
		if err != nil && (strings.Contains(err.Error(), "marked") || strings.Contains(err.Error(), "thecode")) {
			t.Errorf("the error tells %v", err)
		}
	})
}

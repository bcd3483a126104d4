package githubtest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"crypto/x509"
	"encoding/pem"
)

// appJWT signs in as the App, as ghinstallation's AppsTransport does.
func appJWT(w *team) string { return appJWTOf(w, strconv.FormatInt(w.AppID(), 10), 0, 9*time.Minute) }

func appJWTOf(w *team, issuer string, issued, life time.Duration) string {
	w.t.Helper()
	block, _ := pem.Decode(w.AppPrivateKey())
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		w.t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	now := time.Now().Add(issued)
	value, err := jwt.Signed(signer).Claims(map[string]any{"iss": issuer, "iat": now.Unix(), "exp": now.Add(life).Unix()}).Serialize()
	if err != nil {
		w.t.Fatal(err)
	}
	return value
}

// getAs sends "PATH" or "METHOD PATH BODY" with a credential and decodes the answer.
func getAs[T any](w *team, request, credential string) T {
	w.t.Helper()
	method, path, body := "GET", request, ""
	if !strings.HasPrefix(request, "/") {
		parts := strings.SplitN(request, " ", 3)
		method, path, body = parts[0], parts[1], parts[2]
	}
	res, got := w.raw(method, path, body, "Authorization", "Bearer "+credential)
	var out T
	if res.StatusCode >= http.StatusMultipleChoices {
		w.t.Fatalf("%s: got %d %s", request, res.StatusCode, got)
	}
	if err := json.Unmarshal([]byte(got), &out); err != nil {
		w.t.Fatal(err)
	}
	return out
}

// receiver takes deliveries and answers 202.
func receiver(w *team) (stop func()) {
	hook := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusAccepted) }))
	w.DeliverTo(hook.URL, "a secret")
	return hook.Close
}

func TestAppSignsInWithItsJWT(t *testing.T) {
	w := newTeam(t, optionsOf())
	id := strconv.FormatInt(w.AppID(), 10)
	for name, row := range map[string]struct {
		credential string
		want       int
	}{
		"allow: nine minutes":             {appJWT(w), 200},
		"allow: clock a little ahead":     {appJWTOf(w, id, 30*time.Second, 9*time.Minute), 200},
		"deny: another App":               {appJWTOf(w, "1", 0, 9*time.Minute), 401},
		"deny: lives too long":            {appJWTOf(w, id, 0, 20*time.Minute), 401},
		"deny: expired":                   {appJWTOf(w, id, -time.Hour, time.Minute), 401},
		"deny: issued in the future":      {appJWTOf(w, id, 5*time.Minute, time.Minute), 401},
		"deny: not a JWT":                 {"a.b.c", 401},
		"deny: an installation token":     {w.token, 401},
		"deny: a token that nobody knows": {"ghs_unknown", 401},
	} {
		if res, body := w.raw("GET", "/app", "", "Authorization", "Bearer "+row.credential); res.StatusCode != row.want {
			t.Errorf("%s: got %d %s, want %d", name, res.StatusCode, body, row.want)
		}
	}
}

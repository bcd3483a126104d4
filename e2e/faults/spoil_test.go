package faults_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// said answers a status and a body, whatever the forge would have said.
func said(status int, body string, header ...string) spoiler {
	return func(w http.ResponseWriter, _ *http.Request, _ answer) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body)) // the adapter may be gone
	}
}

// changed answers what the forge says, with its body changed.
func changed(change func(body []byte) []byte) spoiler {
	return func(w http.ResponseWriter, _ *http.Request, honest answer) {
		honest.body = change(honest.body)
		honest.write(w)
	}
}

func (a answer) write(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Del("Content-Length")
	w.Header().Del("ETag") // of the body as it was
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the adapter may be gone
}

// elsewhere redirects to another repository of the forge (attack 73).
func elsewhere(w http.ResponseWriter, r *http.Request, _ answer) {
	w.Header().Set("Location", regexp.MustCompile(`\d{2,}|acme/app`).ReplaceAllString(r.URL.Path, "1"))
	w.WriteHeader(http.StatusMovedPermanently)
}

// broken promises the whole body and sends half of it.
func broken(w http.ResponseWriter, _ *http.Request, honest answer) {
	for name, values := range honest.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(max(len(honest.body), 2)))
	w.WriteHeader(honest.status)
	_, _ = w.Write(honest.body[:len(honest.body)/2]) // the rest never comes
	panic(http.ErrAbortHandler)
}

// dripping sends the body a byte at a time.
func dripping(w http.ResponseWriter, r *http.Request, honest answer) {
	w.WriteHeader(honest.status)
	for i := range honest.body {
		if _, err := w.Write(honest.body[i : i+1]); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// endless is a listing whose every page is empty and says that there is another.
func endless(w http.ResponseWriter, r *http.Request, honest answer) {
	if !bytes.HasPrefix(bytes.TrimSpace(honest.body), []byte("[")) {
		honest.write(w)
		return
	}
	page, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil {
		page = 1
	}
	next := strconv.Itoa(page + 1)
	honest.header.Set("X-Next-Page", next)
	honest.header.Set("Link", `<http://forge.example/x?page=`+next+`>; rel="next"`)
	honest.body = []byte("[]")
	honest.write(w)
}

// withErrors puts GraphQL's errors beside the data (attack 72).
func withErrors(w http.ResponseWriter, r *http.Request, honest answer) {
	if strings.HasSuffix(r.URL.Path, "/graphql") {
		honest.body = append([]byte(`{"errors":[{"message":"Something went wrong"}],`), bytes.TrimSpace(honest.body)[1:]...)
	}
	honest.write(w)
}

// words changes every word that is one of a list to one that nobody knows (attack 74).
func words(body []byte) []byte {
	return regexp.MustCompile(`"(state|type|permission|role_name|enforcement|status|activity_type|action_name|target|__typename|mergeMethod)":\s*"[^"]*"`).
		ReplaceAll(body, []byte(`"$1":"limbo"`))
}

// levels changes every access level of GitLab's to one that nobody knows.
func levels(body []byte) []byte {
	return regexp.MustCompile(`"access_level":\s*\d+`).ReplaceAll(body, []byte(`"access_level":35`))
}

// numbers makes every id another: the answer is about somebody else.
func numbers(body []byte) []byte {
	return regexp.MustCompile(`"(id|iid|databaseId|project_id|author_id)":\s*(\d+)`).ReplaceAll(body, []byte(`"$1":9$2`))
}

// nothing makes every value null.
func nothing(body []byte) []byte {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return body
	}
	out, err := json.Marshal(nulls(v))
	if err != nil {
		return body
	}
	return out
}

func nulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			v[name] = nulls(v[name])
		}
		return v
	case []any:
		for i := range v {
			v[i] = nulls(v[i])
		}
		return v
	}
	return nil
}

func half(body []byte) []byte { return body[:len(body)/2] }

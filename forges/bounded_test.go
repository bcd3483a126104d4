package forges_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/countersign/countersign/forges"
)

func list(n int) string { return "[" + strings.TrimSuffix(strings.Repeat("0,", n), ",") + "]" }

func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

// attack 70: answers that a decoder would blow up
func TestCheckJSON(t *testing.T) {
	for name, row := range map[string]struct{ text, excess string }{
		"empty":                         {"", ""},
		"one value":                     {"0", ""},
		"as long as may be":             {list(forges.MaxValues - 1), ""},
		"a list too long":               {list(forges.MaxValues), "values"},
		"25 MB of zeros":                {list(12_500_000), "values"},
		"nulls with blanks between":     {"[" + strings.Repeat("null , ", forges.MaxValues), "values"},
		"objects":                       {"[" + strings.Repeat("{},", forges.MaxValues/2), "values"},
		"members":                       {"{" + strings.Repeat(`"a":0,`, forges.MaxValues), "values"},
		"as deep as may be":             {nested(forges.MaxDepth), ""},
		"too deep":                      {nested(forges.MaxDepth + 1), "levels"},
		"too deep, mixed":               {strings.Repeat(`{"a":[`, forges.MaxDepth/2+1), "levels"},
		"a long text":                   {`"` + strings.Repeat("[,{", forges.MaxValues) + `"`, ""},
		"quotes in a text":              {`["` + strings.Repeat(`\",`, forges.MaxValues) + `"]`, ""},
		"a text that ends in backslash": {`["\\"` + strings.Repeat(`,0`, forges.MaxValues), "values"},
		"no JSON, but harmless":         {"]]]]}}}}", ""},
	} {
		for how, err := range map[string]error{
			"at once": forges.CheckJSON([]byte(row.text)),
			"as read": readAll(strings.NewReader(row.text)),
		} {
			var excess *forges.ExcessError
			if errors.As(err, &excess) != (row.excess != "") || (excess != nil && excess.What != row.excess) {
				t.Errorf("%s, %s: expected excess of %q, got %v", name, how, row.excess, err)
			}
		}
	}
}

func readAll(r io.Reader) error {
	_, err := io.Copy(io.Discard, forges.BoundJSON(io.NopCloser(r)))
	return err
}

// What goes beyond is not decoded at all, and stays an error however often it is read.
func TestBoundJSONDecodesNothing(t *testing.T) {
	body := forges.BoundJSON(io.NopCloser(iotest.HalfReader(strings.NewReader(list(forges.MaxValues + 1)))))
	for range 2 {
		var got []int
		err := json.NewDecoder(body).Decode(&got)
		var excess *forges.ExcessError
		if !errors.As(err, &excess) || got != nil {
			t.Errorf("expected nothing and an excess, got %d values, %v", len(got), err)
		}
	}
	broken := forges.BoundJSON(io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF)))
	if _, err := broken.Read(make([]byte, 1)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the reader's own error: got %v", err)
	}
}

func TestBoundAnswers(t *testing.T) {
	url, _ := forge(t, func(w http.ResponseWriter, r *http.Request) {
		text := list(forges.MaxValues + 1)
		if r.URL.Path == "/small" {
			text = "[0]"
		}
		_, _ = io.WriteString(w, text) // a closed client is the client's matter
	})
	plain := &http.Client{}
	c := forges.BoundAnswers(plain)
	if plain.Transport != nil {
		t.Error("the client that was given is not as it was")
	}
	for path, most := range map[string]bool{"/small": false, "/large": true} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		err = json.NewDecoder(res.Body).Decode(&got)
		_ = res.Body.Close() // read
		var excess *forges.ExcessError
		if errors.As(err, &excess) != most {
			t.Errorf("%s: got %d values, %v", path, len(got), err)
		}
	}
	if _, err := forges.BoundAnswers(&http.Client{}).Get("http://127.0.0.1:1/"); err == nil {
		t.Error("no answer is no error")
	}
}

// values counts a well-formed text the slow way.
func values(text []byte) (count, deepest int) {
	d := json.NewDecoder(bytes.NewReader(text))
	names := []int{-1} // per level: how many tokens an object has so far; -1 in a list
	for {
		token, err := d.Token()
		if err != nil {
			return count, deepest
		}
		top := len(names) - 1
		if token == json.Delim(']') || token == json.Delim('}') {
			names = names[:top]
			continue
		}
		if names[top] >= 0 {
			names[top]++
		}
		if names[top] < 0 || names[top]%2 == 0 {
			count++
		}
		switch token {
		case json.Delim('['):
			names = append(names, -1)
		case json.Delim('{'):
			names = append(names, 0)
		}
		deepest = max(deepest, len(names)-1)
	}
}

func FuzzCheckJSON(f *testing.F) {
	for _, text := range []string{`[]`, `{"a":[1,"\"[,",null]}`, `"\\"`, nested(101), list(50), `[[1,2],{"b":{}}]`} {
		f.Add([]byte(text), 3)
	}
	f.Fuzz(func(t *testing.T, text []byte, times int) {
		times = min(max(times, 1), 5000)
		long := append([]byte("["), bytes.Repeat(append(bytes.Clone(text), ','), times)...)
		long = append(append(long, text...), ']')
		for _, text := range [][]byte{text, long} {
			err := forges.CheckJSON(text)
			if read := readAll(iotest.OneByteReader(bytes.NewReader(text))); (read == nil) != (err == nil) {
				t.Fatalf("at once %v, byte by byte %v", err, read)
			}
			if len(text) > 1<<20 || !json.Valid(text) {
				continue
			}
			n, depth := values(text)
			if err == nil && (n > forges.MaxValues || depth > forges.MaxDepth) {
				t.Fatalf("accepted %d values, %d levels", n, depth)
			}
			if err != nil && 2*n <= forges.MaxValues && depth <= forges.MaxDepth {
				t.Fatalf("refused %d values, %d levels: %v", n, depth, err)
			}
		}
	})
}

// BenchmarkCheckJSON shows what the check costs beside the decoding that follows.
func BenchmarkCheckJSON(b *testing.B) {
	row := `{"id":1234,"iid":7,"title":"Add \"widgets\" to the box","author":{"id":5,"username":"ana","name":"Ana"},"labels":["a","b"]},`
	text := []byte("[" + strings.TrimSuffix(strings.Repeat(row, 2000), ",") + "]")
	b.Run("check", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			if err := forges.CheckJSON(text); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			var rows []struct {
				ID     int64
				Title  string
				Author struct{ ID int64 }
			}
			if err := json.Unmarshal(text, &rows); err != nil {
				b.Fatal(err)
			}
		}
	})
}

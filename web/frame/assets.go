package frame

import (
	"bytes"
	"mime"
	"net/http"
	"path"
	"time"

	"github.com/countersign/countersign/gate"
)

// stampLength is how much of a file's digest its address carries.
const stampLength = 16

// AssetPath is where a page finds a file: with its digest, so that browsers may keep it.
// It panics where there is none: pages and files are compiled in together.
func AssetPath(name string) string {
	content, err := files.ReadFile("assets/" + name)
	if err != nil {
		panic(err)
	}
	return "/assets/" + name + "?v=" + gate.SHA256(content).String()[:stampLength]
}

// Asset serves a file that is compiled in and reports whether there is one of that name.
// Under its digest browsers keep it for good; else they ask whether it is still the same.
func Asset(w http.ResponseWriter, r *http.Request, name string) bool {
	content, err := files.ReadFile("assets/" + name)
	if err != nil {
		return false
	}
	digest := gate.SHA256(content).String()
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	w.Header().Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == digest[:stampLength] {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	w.Header().Set("ETag", `W/"`+digest+`"`) // weak: it may leave compressed
	r.Header.Del("Range")                    // and then has no ranges
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	return true
}

// Package frame is what every page has in common: the document around it, the style, the
// scripts, and the headers that say what a page may do. Pages of the gate and those of its
// setup stand in the same one.
package frame

import (
	"embed"
	"html/template"
	"io"
	"io/fs"
	"strconv"
	"time"

	"github.com/countersign/countersign/gate"
)

//go:embed frame.html assets
var files embed.FS

// Area is an entry of the navigation.
type Area string

// The navigation. The zero Area is none of them.
const (
	Inbox        Area = "inbox"
	Repositories Area = "repositories"
	Keys         Area = "keys"
	Ledger       Area = "ledger"
	Operations   Area = "operations"
	Manual       Area = "manual"
)

// View is one page in its frame.
type View struct {
	Title string
	Area  Area
	// Person is who is signed in; nil where nobody is.
	Person *Person
	// SignIns are the forges through which one may sign in.
	SignIns []SignIn
	// Back is the local path to which a sign-in leads.
	Back string
	// Notice is said once, above the page; the zero Notice says nothing.
	Notice Notice
	// Live is the path of the page's events, and Self that of the page itself, which is read
	// again at each; "" for a page that stands still.
	Live, Self string
	// Bare leaves the navigation out: the setup has none yet.
	Bare bool
	// Body is the page's own model.
	Body any
}

// Person is a signed-in person as the frame names them.
type Person struct {
	Login, Forge  string
	Administrator bool
}

// SignIn is one way to sign in.
type SignIn struct {
	Forge string // as in /auth/{forge}
	Label string // "GitHub"
}

// Notice is one sentence about what the reader just did.
type Notice struct {
	Text string
	// Bad marks that it did not work.
	Bad bool
}

// Page is one kind of page, ready to be shown. It is safe for concurrent use.
type Page struct{ t *template.Template }

// Parse makes a page of the template file name in pages. The file defines "body", which is
// executed with the whole [View]; what else it defines is its own. Beside its funcs it has
// those of [Funcs]. It panics where the templates do not parse: they are compiled in. shared
// are patterns of files in pages whose templates several pages use.
func Parse(pages fs.FS, name string, funcs template.FuncMap, shared ...string) Page {
	t := template.New(name).Funcs(Funcs()).Funcs(funcs)
	t = template.Must(t.ParseFS(files, "frame.html"))
	return Page{t: template.Must(t.ParseFS(pages, append(shared, name)...))}
}

// Show writes the whole document.
func (p Page) Show(w io.Writer, v View) error { return p.t.ExecuteTemplate(w, "frame", v) }

// Funcs are what every page's template may use.
func Funcs() template.FuncMap {
	return template.FuncMap{
		"asset": AssetPath, "count": Count, "link": Link, "local": LocalPath,
		"short": gate.ShortRef, "commit": gate.ShortCommit,
		"when":  func(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04") },
		"stamp": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"at":    func(v View, a string) bool { return v.Area == Area(a) },
	}
}

// Count says how many of a thing there are: "1 file", "3 files", "2 people".
func Count(n int, one string, many ...string) string {
	switch {
	case n == 1:
		return "1 " + one
	case len(many) > 0:
		return strconv.Itoa(n) + " " + many[0]
	}
	return strconv.Itoa(n) + " " + one + "s"
}

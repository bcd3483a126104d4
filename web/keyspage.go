package web

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/web/frame"
)

// namesKnown is how many repositories, those asked for last, bindings are told by name of.
const namesKnown = 100

// signedShown is how many releases one page of a key shows.
const signedShown = 30

// keyBody is what the pages of keys show.
type keysBody struct {
	Lineages []lineageRow
	// Own are the gate's own keys, which never sign a release.
	Own []api.Key
}

type keyBody struct {
	lineageRow

	Signed []inboxRow
	// Older is the path of the page that goes on; "" at the end.
	Older string
	First bool
}

// lineageRow is a key lineage with its versions, the newest first.
type lineageRow struct {
	Lineage  string
	Versions []versionRow
	Bound    bindings
}

// versionRow is one key pair.
type versionRow struct {
	gate.KeyUse

	// Held is true where a token of this server holds it; what follows is known only then.
	Held     bool
	Newest   bool // the one that signs
	Hint     string
	Software bool
}

// bindings are who may use a key, as far as the visitor may know.
type bindings struct {
	Owners, Repositories []boundTo
	// Others is how many more there are.
	Others int
}

type boundTo struct {
	ID, Name string
	Forge    gate.ForgeID
	// Page is the repository whose page may be seen; the zero RepositoryID for none.
	Page gate.RepositoryID
}

// keysPage lists the keys of the server with what they did.
func (s *server) keysPage(w http.ResponseWriter, r *http.Request) error {
	rows, err := s.lineages(r.Context(), visitorOf(r.Context()))
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "keys", page{Title: "Keys", Area: frame.Keys, Body: keysBody{rows, s.ownKeys()}})
}

// keyPage shows what a key signed, as far as the visitor may see it.
func (s *server) keyPage(w http.ResponseWriter, r *http.Request) error {
	name, v := chi.URLParam(r, "lineage"), visitorOf(r.Context())
	rows, err := s.lineages(r.Context(), v)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(rows, func(row lineageRow) bool { return row.Lineage == name })
	if i < 0 {
		return &gate.Error{
			Kind: gate.NotFound, Code: gate.CodeKeyUnknown, Text: "there is no key of this name here",
			Expected: "a key of /keys", Got: quoted(name), Fix: "start at Keys",
		}
	}
	body := keyBody{lineageRow: rows[i]}
	q := gate.ListQuery{Key: name, Before: r.URL.Query().Get("before")}
	if q.Before != "" && !isRequestID(q.Before) {
		return badParameter("before", "the id of a request", q.Before)
	}
	body.First = q.Before == ""
	recs, more, err := s.visible(r.Context(), v, q, signedShown, func(gate.Record) bool { return true })
	if err != nil {
		return err
	}
	for _, rec := range recs {
		body.Signed = append(body.Signed, s.inboxRow(rec, map[string]string{}))
	}
	if more {
		body.Older = "/keys/" + name + "?before=" + recs[len(recs)-1].Request.ID
	}
	return s.render(w, r, http.StatusOK, "key", page{Title: "Key " + name, Area: frame.Keys, Body: body})
}

// lineages are all keys that are held here or once signed something here.
func (s *server) lineages(ctx context.Context, v visitor) ([]lineageRow, error) {
	uses, err := s.Board.KeyUses(ctx)
	if err != nil {
		return nil, err
	}
	known, err := s.Board.Enrolled(ctx, namesKnown)
	if err != nil {
		return nil, err
	}
	seen := s.mayBeSeen(ctx, v, known)
	names := map[string][]versionRow{}
	for _, k := range s.Keys {
		if ownKey(k) {
			continue
		}
		row := versionRow{Held: true, Hint: k.Hint, Software: k.Software, KeyUse: gate.KeyUse{Lineage: k.Lineage, Version: k.Version}}
		names[k.Lineage] = append(names[k.Lineage], row)
	}
	for _, u := range uses {
		i := slices.IndexFunc(names[u.Lineage], func(row versionRow) bool { return row.Version == u.Version })
		if i < 0 {
			names[u.Lineage] = append(names[u.Lineage], versionRow{KeyUse: u})
			continue
		}
		names[u.Lineage][i].KeyUse = u
	}
	var out []lineageRow
	for name, versions := range names {
		slices.SortFunc(versions, func(a, b versionRow) int { return b.Version - a.Version })
		if i := slices.IndexFunc(versions, func(row versionRow) bool { return row.Held }); i >= 0 {
			versions[i].Newest = true
		}
		out = append(out, lineageRow{Lineage: name, Versions: versions, Bound: s.bound(v, name, seen)})
	}
	slices.SortFunc(out, func(a, b lineageRow) int { return strings.Compare(a.Lineage, b.Lineage) })
	return out, nil
}

// bound tells who may use the newest version of a lineage. Others than administrators learn
// names only of repositories that they see anyway.
func (s *server) bound(v visitor, lineage string, seen []gate.Enrolled) bindings {
	var newest release.Binding
	for _, b := range s.Bindings {
		if b.Version.Lineage == lineage && b.Version.Version >= newest.Version.Version {
			newest = b
		}
	}
	var out bindings
	for _, id := range newest.Repositories {
		i := slices.IndexFunc(seen, func(e gate.Enrolled) bool { return e.Adoption.Repository == id })
		switch {
		case i >= 0:
			out.Repositories = append(out.Repositories, boundTo{ID: id.String(), Name: seen[i].Adoption.Name, Page: id, Forge: id.Forge})
		case v.Administrator:
			out.Repositories = append(out.Repositories, boundTo{ID: id.String()})
		default:
			out.Others++
		}
	}
	for _, id := range newest.Owners {
		i := slices.IndexFunc(seen, func(e gate.Enrolled) bool { return e.Adoption.Owner == id })
		switch {
		case i >= 0:
			name := seen[i].Adoption.Name
			out.Owners = append(out.Owners, boundTo{ID: id.String(), Name: name[:max(0, strings.LastIndex(name, "/"))], Forge: id.Forge})
		case v.Administrator:
			out.Owners = append(out.Owners, boundTo{ID: id.String()})
		default:
			out.Others++
		}
	}
	return out
}

// ownKey reports whether a key is one of the gate's own.
func ownKey(k api.Key) bool { return k.Purpose != "" && k.Purpose != gate.PurposeRelease }

func (s *server) ownKeys() []api.Key {
	var out []api.Key
	for _, p := range gate.AuthorityPurposes() {
		for _, k := range s.Keys {
			if k.Purpose == p {
				out = append(out, k)
			}
		}
	}
	return out
}

// purposeWord says what one of the gate's own keys does.
func purposeWord(p gate.Purpose) string {
	switch p {
	case gate.PurposeRelease:
		return "Signs releases"
	case gate.PurposeLog:
		return "Signs the ledger’s checkpoints"
	case gate.PurposeTimestamp:
		return "Says when a signature was made"
	case gate.PurposeCA:
		return "Certifies release keys"
	case gate.PurposeCT:
		return "Promises that certificates are on record"
	case gate.PurposeVerdict:
		return "Signs refusals"
	}
	return string(p)
}

// signedFiles is how many files the versions signed together.
func signedFiles(row lineageRow) int64 {
	var n int64
	for _, v := range row.Versions {
		n += v.Signatures
	}
	return n
}

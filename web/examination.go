package web

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/web/frame"
)

// How the doctor is asked.
const (
	examineWithin = 60 * time.Second // one examination
	examineFresh  = 30 * time.Second // how long one serves whoever asks again
	examinedKept  = 1000
)

// examination is what the doctor found, and when.
type examination struct {
	At    time.Time
	Areas []examinedArea
	Pass  int
	Warn  int
	Fail  int
}

// examinedArea are the findings of one area: the failures and then the warnings, and what
// passed.
type examinedArea struct {
	Name             string
	Troubles, Passes []api.Finding
}

// worst is the level of the area's first trouble.
func (a examinedArea) worst() api.FindingLevel {
	if len(a.Troubles) > 0 {
		return a.Troubles[0].Level
	}
	return api.FindingPass
}

// examinations remembers what the doctor found of the server (the zero RepositoryID) and of
// repositories, and examines each once at a time.
type examinations struct {
	now func() time.Time

	mu   sync.Mutex
	kept map[gate.RepositoryID]*examined
}

type examined struct {
	one sync.Mutex // held while examining
	was *examination
}

func newExaminations(now func() time.Time) *examinations {
	return &examinations{now: now, kept: map[gate.RepositoryID]*examined{}}
}

// of is the entry of a repository. Where too much is remembered, all of it is forgotten.
func (e *examinations) of(r gate.RepositoryID) *examined {
	e.mu.Lock()
	defer e.mu.Unlock()
	x, ok := e.kept[r]
	if !ok {
		if len(e.kept) >= examinedKept {
			clear(e.kept)
		}
		x = &examined{}
		e.kept[r] = x
	}
	return x
}

// last is what was found last, if that is of use still; else nil.
func (e *examinations) last(r gate.RepositoryID) *examination {
	e.mu.Lock()
	defer e.mu.Unlock()
	x, ok := e.kept[r]
	if !ok || x.was == nil || e.now().Sub(x.was.At) > time.Hour {
		return nil
	}
	return x.was
}

// examine asks the doctor, unless somebody just did. What was asked goes on when whoever
// asked leaves: the next one wants to know too.
func (e *examinations) examine(ctx context.Context, r gate.RepositoryID, ask func(context.Context) []api.Finding) *examination {
	x := e.of(r)
	x.one.Lock()
	defer x.one.Unlock()
	if was := e.last(r); was != nil && e.now().Sub(was.At) < examineFresh {
		return was
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), examineWithin)
	defer cancel()
	found := grouped(ask(ctx))
	found.At = e.now()
	e.mu.Lock()
	defer e.mu.Unlock()
	x.was = found
	return found
}

// grouped sorts findings: areas with failures first, then with warnings; in each likewise.
func grouped(all []api.Finding) *examination {
	out := &examination{}
	rank := func(l api.FindingLevel) int {
		return slices.Index([]api.FindingLevel{api.FindingFailure, api.FindingWarning, api.FindingPass}, l)
	}
	for _, f := range all {
		i := slices.IndexFunc(out.Areas, func(a examinedArea) bool { return a.Name == f.Area })
		if i < 0 {
			i = len(out.Areas)
			out.Areas = append(out.Areas, examinedArea{Name: f.Area})
		}
		if f.Level == api.FindingPass {
			out.Areas[i].Passes = append(out.Areas[i].Passes, f)
			out.Pass++
			continue
		}
		out.Areas[i].Troubles = append(out.Areas[i].Troubles, f)
		if f.Level == api.FindingWarning {
			out.Warn++
		} else {
			out.Fail++ // also a level that nobody knows
		}
	}
	for _, a := range out.Areas {
		slices.SortStableFunc(a.Troubles, func(x, y api.Finding) int { return rank(x.Level) - rank(y.Level) })
	}
	slices.SortStableFunc(out.Areas, func(x, y examinedArea) int {
		return rank(x.worst()) - rank(y.worst())
	})
	return out
}

// toneOfLevel is the mark of a finding.
func toneOfLevel(l api.FindingLevel) tone {
	switch l {
	case api.FindingPass:
		return tone{"good", "✓"}
	case api.FindingWarning:
		return tone{"wait", "!"}
	case api.FindingFailure:
	}
	return tone{"bad", "✕"}
}

// doctorBody is what the doctor's pages show.
type doctorBody struct {
	Findings *examination

	// Name and ID are the repository's; zero for the server.
	Name string
	ID   gate.RepositoryID
	// Repositories are those that can be examined too.
	Repositories []repositoryRow
}

// doctorPage examines the server, for its administrators.
func (s *server) doctorPage(w http.ResponseWriter, r *http.Request) error {
	v := visitorOf(r.Context())
	if err := s.mustAdministrator(v); err != nil {
		return err
	}
	if s.Doctor == nil {
		return nowhere(w, r)
	}
	all, err := s.Board.Enrolled(r.Context(), enrolledShown)
	if err != nil {
		return err
	}
	body := doctorBody{Repositories: s.repositoryRows(r.Context(), v, all)}
	body.Findings = s.examined.examine(r.Context(), gate.RepositoryID{}, s.Doctor.Examine)
	return s.render(w, r, http.StatusOK, "doctor", page{Title: "Doctor", Area: frame.Operations, Body: body})
}

// readinessPage examines a repository. That reads much of the forge, so that it is for
// those who may write there, and for administrators.
func (s *server) readinessPage(w http.ResponseWriter, r *http.Request) error {
	v, seen, err := s.seenSignedIn(r)
	if err != nil {
		return err
	}
	id := seen.id
	if s.Doctor == nil {
		return nowhere(w, r)
	}
	if !v.Administrator {
		if role, _ := s.role(r.Context(), v, id); role < gate.RoleWrite {
			return &gate.Error{
				Kind: gate.Refused, Code: gate.CodeNotEligible, Text: "examining a repository is for those who may write to it",
				Expected: "write or more at the forge", Got: role.String(), Fix: "ask one of its maintainers to look here",
			}
		}
	}
	body := doctorBody{Name: seen.name(), ID: id}
	body.Findings = s.examined.examine(r.Context(), id, func(ctx context.Context) []api.Finding {
		return s.Doctor.ExamineRepository(ctx, id)
	})
	return s.render(w, r, http.StatusOK, "doctor", page{Title: "Readiness of " + body.Name, Area: frame.Repositories, Body: body})
}

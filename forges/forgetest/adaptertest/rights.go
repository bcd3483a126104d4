package adaptertest

import (
	"context"
	"net/http"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
)

// rights is web.Rights, which an adapter under test is.
type rights interface {
	Right(ctx context.Context, r gate.RepositoryID, who gate.AccountID) gate.Fact[gate.Member]
}

func (s *stage) right(p forgetest.Person) gate.Fact[gate.Member] {
	s.t.Helper()
	r, is := s.adapter.(rights)
	if !is {
		s.t.Fatal("expected an adapter that reads rights")
	}
	return r.Right(s.t.Context(), s.repository(), id(p))
}

// mayWrite says whether the right is known and at least write.
func (s *stage) mayWrite(p forgetest.Person) bool {
	s.t.Helper()
	m, ok := s.right(p).Get()
	if ok && m.Account.ID != id(p) {
		s.t.Errorf("right of @%s: got that of %+v", p.Login, m.Account)
	}
	return ok && m.Active && m.Role >= gate.RoleWrite
}

func rightRows() []row {
	return []row{
		{"allow: whoever may write, deny: the others", func(s *stage) {
			for p, want := range map[forgetest.Person]bool{s.ana: true, s.bo: true, s.dan: false} {
				if got := s.mayWrite(p); got != want {
					s.t.Errorf("@%s: got %t, want %t", p.Login, got, want)
				}
			}
		}},
		{"deny: whoever lost it since (attack 47)", func(s *stage) {
			before := s.mayWrite(s.bo)
			s.SetRole(s.repo, s.bo, forgetest.RoleRead)
			read := s.mayWrite(s.bo)
			s.SetRole(s.repo, s.bo, forgetest.RoleNone)
			if none := s.mayWrite(s.bo); !before || read || none {
				s.t.Errorf("@bo before, with read, with nothing: got %t, %t, %t", before, read, none)
			}
		}},
		{"what cannot be read is no right", func(s *stage) {
			restore := s.Fail(forgetest.Fault{Status: http.StatusServiceUnavailable})
			if f := s.right(s.ana); !f.IsUnknown() || f.Why() == "" {
				s.t.Errorf("down: got %+v, want unknown with its reason", f)
			}
			restore()
			if !s.mayWrite(s.ana) {
				s.t.Error("up again: expected @ana to have her right")
			}
			r, _ := s.adapter.(rights)
			for name, f := range map[string]gate.Fact[gate.Member]{
				"another forge's account":    r.Right(s.t.Context(), s.repository(), gate.AccountID{Forge: "another", ID: s.ana.ID}),
				"another forge's repository": r.Right(s.t.Context(), gate.RepositoryID{Forge: "another", ID: s.repo.ID}, id(s.ana)),
				"no such repository":         r.Right(s.t.Context(), gate.RepositoryID{Forge: ForgeID, ID: 4711}, id(s.ana)),
			} {
				if f.IsKnown() {
					s.t.Errorf("%s: got %+v, want no right", name, f)
				}
			}
		}},
	}
}

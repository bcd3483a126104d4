package adaptertest

import (
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
)

func commentRows() []row {
	return []row{
		{"a comment as it was written", func(s *stage) {
			change, _ := s.open(s.ana, "topic", "Add topic")
			ref := s.say(change, s.bo, "/countersign approve")
			c := s.comment(ref)
			s.equal("author", c.Author.ID, id(s.bo))
			s.equal("a person", c.Author.Human, true)
			s.equal("body", c.Body, "/countersign approve")
			s.equal("edited, hidden, by machine", []bool{c.Edited, c.Hidden, c.ByMachine}, []bool{false, false, false})
			s.equal("ref", c.Ref, ref)
			if c.Created.IsZero() {
				s.t.Error("created: expected a time")
			}
		}},
		{"an edited comment (attack 45)", func(s *stage) {
			change, _ := s.open(s.ana, "topic", "Add topic")
			said := s.AddComment(change, s.bo, "Looks nice")
			s.EditComment(said, s.bo, "/countersign approve")
			s.equal("edited", s.comment(s.ref(said)).Edited, true)
		}},
		{"a deleted comment (attack 46)", func(s *stage) {
			change, _ := s.open(s.ana, "topic", "Add topic")
			said := s.AddComment(change, s.bo, "/countersign approve")
			s.DeleteComment(said, s.bo)
			absent(s, "comment", s.adapter.Comment(s.t.Context(), s.ref(said)))
		}},
		{"a comment of another thread (attack 50)", func(s *stage) {
			one, _ := s.open(s.ana, "one", "One")
			two, _ := s.open(s.ana, "two", "Two")
			ref := s.say(one, s.bo, "/countersign approve")
			ref.Thread.Number = two.Number
			absent(s, "comment", s.adapter.Comment(s.t.Context(), ref))
		}},
		{"a bot's comment is no person's (attacks 88 and 92)", func(s *stage) {
			bot := s.AddBot("robot")
			s.SetRole(s.repo, bot, forgetest.RoleWrite)
			change, _ := s.open(s.ana, "topic", "Add topic")
			s.equal("a person", s.comment(s.say(change, bot, "/countersign approve")).Author.Human, false)
		}},
		{"evidence holds the comments asked for, and their authors' rights", func(s *stage) {
			change, _ := s.open(s.ana, "topic", "Add topic")
			ref := s.say(change, s.bo, "/countersign approve")
			needs := s.needs()
			needs.Comments = []gate.CommentRef{ref}
			e := s.adapter.Evidence(s.t.Context(), s.request(main), needs)
			s.equal("body", value(s, "comment", e.Comments[ref]).Body, "/countersign approve")
			s.equal("role", value(s, "role", e.Roles[id(s.bo)]).Role, gate.RoleWrite)
		}},
	}
}

func (s *stage) ref(c forgetest.Comment) gate.CommentRef {
	return gate.CommentRef{
		Repository: s.repository(), ID: c.ID, Thread: gate.Thread{Number: c.Change.Number, Issue: c.Change.Issue},
	}
}

func (s *stage) say(c forgetest.Change, by forgetest.Person, body string) gate.CommentRef {
	s.t.Helper()
	return s.ref(s.AddComment(c, by, body))
}

func (s *stage) comment(ref gate.CommentRef) gate.Comment {
	s.t.Helper()
	return value(s, "comment", s.adapter.Comment(s.t.Context(), ref))
}

func peopleRows() []row {
	return []row{
		{"roles in the gate's words", func(s *stage) {
			e := s.asked(s.ana, s.bo)
			ana := value(s, "ana", e.Roles[id(s.ana)])
			s.equal("ana", ana.Role, gate.RoleMaintain)
			s.equal("ana's account", ana.Account.ID, id(s.ana))
			s.equal("ana is a person", ana.Account.Human, true)
			s.equal("ana is active", ana.Active, true)
			s.equal("bo", value(s, "bo", e.Roles[id(s.bo)]).Role, gate.RoleWrite)
		}},
		{"an administrator", func(s *stage) {
			s.SetRole(s.repo, s.ana, forgetest.RoleAdmin)
			s.equal("ana", value(s, "ana", s.asked(s.ana).Roles[id(s.ana)]).Role, gate.RoleAdmin)
		}},
		{"a reader", func(s *stage) {
			s.SetRole(s.repo, s.dan, forgetest.RoleRead)
			s.equal("dan", value(s, "dan", s.asked(s.dan).Roles[id(s.dan)]).Role, gate.RoleRead)
		}},
		{"a stranger has no right", func(s *stage) { s.powerless(s.asked(s.dan), s.dan) }},
		{"a right that was taken away (attack 47)", func(s *stage) {
			s.equal("bo", value(s, "bo", s.asked(s.bo).Roles[id(s.bo)]).Role, gate.RoleWrite)
			s.SetRole(s.repo, s.bo, forgetest.RoleNone)
			s.powerless(s.asked(s.bo), s.bo)
		}},
		{"an account that the forge does not have", func(s *stage) {
			nobody := forgetest.Person{ID: 987654321, Login: "nobody"}
			s.powerless(s.asked(nobody), nobody)
		}},
		{"a bot is no person", func(s *stage) {
			bot := s.AddBot("robot")
			s.SetRole(s.repo, bot, forgetest.RoleWrite)
			s.equal("a person", value(s, "robot", s.asked(bot).Roles[id(bot)]).Account.Human, false)
		}},
		{"candidates are everyone who may write", func(s *stage) {
			needs := s.needs()
			needs.Candidates = true
			e := s.adapter.Evidence(s.t.Context(), s.request(main), needs)
			got := map[gate.AccountID]gate.Role{}
			for _, m := range value(s, "candidates", e.Candidates) {
				got[m.Account.ID] = m.Role
			}
			s.equal("ana", got[id(s.ana)], gate.RoleMaintain)
			s.equal("bo", got[id(s.bo)], gate.RoleWrite)
			if _, in := got[id(s.dan)]; in {
				s.t.Error("dan: expected him not among the candidates")
			}
		}},
	}
}

func (s *stage) asked(people ...forgetest.Person) gate.Evidence {
	s.t.Helper()
	needs := s.needs()
	for _, p := range people {
		needs.Accounts = append(needs.Accounts, id(p))
	}
	return s.adapter.Evidence(s.t.Context(), s.request(main), needs)
}

// powerless holds that the forge itself gives p no right.
func (s *stage) powerless(e gate.Evidence, p forgetest.Person) {
	s.t.Helper()
	f, read := e.Roles[id(p)]
	m, known := f.Get()
	if !read || f.IsUnknown() || known && m.Role != gate.RoleNone {
		s.t.Errorf("@%s: expected no right, got read=%t known=%t %s: %s", p.Login, read, known, m.Role, f.Why())
	}
}

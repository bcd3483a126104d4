package githubtest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// activity is one row of a repository's push log (`components.schemas.activity`).
type activity struct {
	id                       int64
	kind, ref, before, after string
	actor                    int64
	when                     time.Time
}

// record adds a row. Tags are left out unless switched on (see Switches).
func (s *Server) record(r *repository, kind, ref, before, after string, who *account) {
	if !strings.HasPrefix(ref, "refs/heads/") && !s.opts.Switches.ActivityListsTags {
		return
	}
	r.activity = append(r.activity, &activity{
		id: s.next("activity"), kind: kind, ref: ref, before: before, after: after, actor: who.id, when: s.now(),
	})
}

// listActivity is paged by cursors: Link gives URLs with before= or after=, newest
// first unless direction=asc (API description of "List repository activities").
func listActivity(c *call) reply {
	rows := slices.DeleteFunc(slices.Clone(c.repo.activity), func(a *activity) bool { return !c.wants(a) })
	if c.query.Get("direction") != "asc" {
		slices.Reverse(rows)
	}
	per := c.pageSize()
	from, to := 0, min(per, len(rows))
	position := func(cursor string) int {
		id, err := strconv.ParseInt(cursor, 10, 64)
		if err != nil {
			return -1
		}
		return slices.IndexFunc(rows, func(a *activity) bool { return a.id == id })
	}
	switch {
	case c.query.Get("after") != "":
		at := position(c.query.Get("after"))
		if at < 0 {
			return problem(http.StatusUnprocessableEntity, "Invalid cursor")
		}
		from, to = at+1, min(at+1+per, len(rows))
	case c.query.Get("before") != "":
		at := position(c.query.Get("before"))
		if at < 0 {
			return problem(http.StatusUnprocessableEntity, "Invalid cursor")
		}
		from, to = max(at-per, 0), at
	}
	items := []obj{}
	for _, a := range rows[from:to] {
		items = append(items, c.activityJSON(a))
	}
	rep := ok(items)
	var links []string
	if to < len(rows) {
		links = append(links, "<"+c.pageURL("after", strconv.FormatInt(rows[to-1].id, 10), "before")+`>; rel="next"`)
	}
	if from > 0 && from < len(rows) {
		links = append(links, "<"+c.pageURL("before", strconv.FormatInt(rows[from].id, 10), "after")+`>; rel="prev"`)
	}
	if links != nil {
		rep.header = http.Header{"Link": {strings.Join(links, ", ")}}
	}
	return rep
}

func (c *call) wants(a *activity) bool {
	ref, kind, actor := c.query.Get("ref"), c.query.Get("activity_type"), c.query.Get("actor")
	if ref != "" && a.ref != ref && a.ref != "refs/heads/"+ref {
		return false
	}
	if kind != "" && a.kind != kind {
		return false
	}
	if days := map[string]int{"day": 1, "week": 7, "month": 30, "quarter": 90, "year": 365}[c.query.Get("time_period")]; days > 0 &&
		a.when.Before(c.now().AddDate(0, 0, -days)) {
		return false
	}
	return actor == "" || strings.EqualFold(c.accounts[a.actor].login, actor)
}

func (c *call) activityJSON(a *activity) obj {
	return obj{
		"id": a.id, "node_id": nodeID("PSH", a.id), "before": a.before, "after": a.after, "ref": a.ref,
		"timestamp": stamp(a.when), "activity_type": a.kind, "actor": c.userOrNull(c.accounts[a.actor]),
	}
}

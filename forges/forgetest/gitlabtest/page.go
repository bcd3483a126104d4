package gitlabtest

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// page is a list that GitLab answers in pages (API docs: pagination).
type page struct {
	items []any
	// uncounted lists have no X-Total and X-Total-Pages (API docs: commits).
	uncounted bool
	// keys are the keyset cursors, one per item, where GitLab offers
	// pagination=keyset here (API docs: keyset-based pagination, supported resources).
	keys []string
}

func list[T any](rows []T, show func(T) obj) *page {
	out := &page{items: []any{}}
	for _, row := range rows {
		out.items = append(out.items, show(row))
	}
	return out
}

const (
	defaultPerPage = 20
	maxPerPage     = 100 // a larger per_page counts as 100
)

// paginate cuts a page out of a list and adds the headers.
func (c *call) paginate(value any) any {
	p, ok := value.(*page)
	if !ok {
		return value
	}
	perPage := clamp(c.r.URL.Query().Get("per_page"), defaultPerPage, maxPerPage)
	if c.r.URL.Query().Get("pagination") == "keyset" && p.keys != nil {
		return c.keyset(p, perPage)
	}
	number := clamp(c.r.URL.Query().Get("page"), 1, 1<<30)
	total := len(p.items)
	pages := max(1, (total+perPage-1)/perPage)
	from := min((number-1)*perPage, total)
	to := min(from+perPage, total)
	links := []string{}
	header := c.w.Header()
	header.Set("X-Page", strconv.Itoa(number))
	header.Set("X-Per-Page", strconv.Itoa(perPage))
	header.Set("X-Prev-Page", "")
	header.Set("X-Next-Page", "")
	if number > 1 {
		header.Set("X-Prev-Page", strconv.Itoa(number-1))
		links = append(links, c.link(number-1, perPage, "prev"))
	}
	if to < total {
		header.Set("X-Next-Page", strconv.Itoa(number+1))
		links = append(links, c.link(number+1, perPage, "next"))
	}
	links = append(links, c.link(1, perPage, "first"))
	if !p.uncounted {
		header.Set("X-Total", strconv.Itoa(total))
		header.Set("X-Total-Pages", strconv.Itoa(pages))
		links = append(links, c.link(pages, perPage, "last"))
	}
	header.Set("Link", strings.Join(links, ", "))
	return p.items[from:to]
}

func clamp(text string, fallback, most int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return fallback
	}
	return min(n, most)
}

func (c *call) link(number, perPage int, rel string) string {
	return c.linkWith(url.Values{"page": {strconv.Itoa(number)}, "per_page": {strconv.Itoa(perPage)}}, rel)
}

func (c *call) linkWith(values url.Values, rel string) string {
	query := c.r.URL.Query()
	for name, value := range values {
		query[name] = value
	}
	return fmt.Sprintf("<%s%s?%s>; rel=%q", c.base, c.r.URL.EscapedPath(), query.Encode(), rel)
}

// keyset answers the items after page_token; the Link header leads on.
func (c *call) keyset(p *page, perPage int) any {
	from := 0
	if token := c.r.URL.Query().Get("page_token"); token != "" {
		for i, key := range p.keys {
			if key == token {
				from = i + 1
			}
		}
	}
	to := min(from+perPage, len(p.items))
	if to < len(p.items) {
		c.w.Header().Set("Link", c.linkWith(url.Values{"page_token": {p.keys[to-1]}}, "next"))
	}
	return p.items[from:to]
}

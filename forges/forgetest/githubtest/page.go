package githubtest

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// paged answers one page of a list as an array with Link headers (docs, "Using
// pagination in the REST API": 30 a page unless told, at most 100).
func paged[T any](c *call, all []T, shape func(T) obj) reply {
	items, link := page(c, all, shape)
	rep := ok(items)
	rep.header = link
	return rep
}

// wrapped answers one page as {"total_count", key: [...]}, as the lists of Actions,
// checks and installation repositories do.
func wrapped[T any](c *call, key string, all []T, shape func(T) obj) reply {
	items, link := page(c, all, shape)
	rep := ok(obj{"total_count": len(all), key: items})
	rep.header = link
	return rep
}

func page[T any](c *call, all []T, shape func(T) obj) ([]obj, http.Header) {
	per, number := c.pageSize(), c.pageNumber()
	last := max((len(all)+per-1)/per, 1)
	from := min((number-1)*per, len(all))
	items := []obj{}
	for _, item := range all[from:min(from+per, len(all))] {
		items = append(items, shape(item))
	}
	var links []string
	add := func(page int, rel string) {
		links = append(links, fmt.Sprintf("<%s>; rel=%q", c.pageURL("page", strconv.Itoa(page)), rel))
	}
	if number > 1 {
		add(min(number-1, last), "prev")
	}
	if number < last {
		add(number+1, "next")
		add(last, "last")
	}
	if number > 1 {
		add(1, "first")
	}
	if len(links) == 0 {
		return items, nil
	}
	return items, http.Header{"Link": {strings.Join(links, ", ")}}
}

func (c *call) pageSize() int {
	per, err := strconv.Atoi(c.query.Get("per_page"))
	if err != nil || per < 1 {
		return 30
	}
	return min(per, 100)
}

func (c *call) pageNumber() int {
	number, err := strconv.Atoi(c.query.Get("page"))
	if err != nil || number < 1 {
		return 1
	}
	return number
}

// pageURL is this request's URL with one query parameter changed, by the
// repository's number as GitHub writes its Link headers.
func (c *call) pageURL(name, value string, drop ...string) string {
	query := url.Values{}
	for k, v := range c.query {
		query[k] = v
	}
	for _, k := range drop {
		query.Del(k)
	}
	query.Set(name, value)
	path := c.r.URL.EscapedPath()
	if c.repo != nil {
		parts := strings.SplitN(strings.TrimPrefix(path, apiPrefix), "/", 5)
		if len(parts) == 5 && parts[1] == "repos" {
			path = fmt.Sprintf("%s/repositories/%d/%s", apiPrefix, c.repo.id, parts[4])
		}
	}
	return c.URL() + path + "?" + query.Encode()
}

package githubtest

import "github.com/vektah/gqlparser/v2/ast"

// maxNodes is how many nodes one query may ask for.
const maxNodes = 500_000

// price is what GitHub charges a query for, by what it could give and not by what it gives
// (docs, "Rate limits and query limits for the GraphQL API"): requests are those needed to
// fill each connection.
type price struct{ requests, nodes int }

// points are the requests by the hundred, at least one.
func (p price) points() int { return max((p.requests+50)/100, 1) }

// Points counts what GitHub would have charged for the GraphQL queries so far, of 5,000 an hour.
func (s *Server) Points() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.points
}

func priceOf(selection ast.SelectionSet, variables map[string]any) price {
	var sum price
	sum.add(selection, variables, 1)
	return sum
}

// add counts a selection that is made so many times.
func (p *price) add(selection ast.SelectionSet, variables map[string]any, times int) {
	for _, s := range selection {
		switch x := s.(type) {
		case *ast.Field:
			each := times
			args := x.ArgumentMap(variables)
			for _, name := range []string{"first", "last"} {
				if n, given := number(args[name]); given {
					p.requests += times
					p.nodes += times * n
					each = times * n
				}
			}
			p.add(x.SelectionSet, variables, each)
		case *ast.InlineFragment:
			p.add(x.SelectionSet, variables, times)
		case *ast.FragmentSpread:
			p.add(x.Definition.SelectionSet, variables, times)
		}
	}
}

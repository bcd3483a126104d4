package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/countersign/countersign/gate"
)

// ruleJSON is one of REST API's repository-rule-detailed. It is decoded here and not by
// go-github, for which one unknown type spoils the whole list.
type ruleJSON struct {
	Type       string          `json:"type"`
	RulesetID  int64           `json:"ruleset_id"`
	Parameters json.RawMessage `json:"parameters"`
}

// rulesetJSON is REST API's schema repository-ruleset, in part.
type rulesetJSON struct {
	ID          int64      `json:"id"`
	Name        string     `json:"name"`
	Target      string     `json:"target"`
	Enforcement string     `json:"enforcement"`
	Rules       []ruleJSON `json:"rules"`
	// BypassActors is nil where GitHub hides them.
	BypassActors *[]bypassActor `json:"bypass_actors"`
	Conditions   *struct {
		RefName *struct {
			Include []string `json:"include"`
			Exclude []string `json:"exclude"`
		} `json:"ref_name"`
	} `json:"conditions"`
}

type bypassActor struct {
	ID   *int64 `json:"actor_id"`
	Type string `json:"actor_type"`
	Mode string `json:"bypass_mode"`
}

// adminRole is the actor_id of the repository role "admin" (docs, "Create a repository ruleset").
const adminRole = 5

func (a bypassActor) isAdmin() bool {
	return a.Type == "OrganizationAdmin" || a.Type == "EnterpriseOwner" || a.Type == "RepositoryRole" && a.ID != nil && *a.ID == adminRole
}

func (a bypassActor) String() string {
	s := a.Type
	if a.ID != nil {
		s += " " + strconv.FormatInt(*a.ID, 10)
	}
	if a.Type == "RepositoryRole" && a.isAdmin() {
		s = "administrators"
	}
	if a.Mode == "pull_request" {
		s += " (in pull requests)"
	}
	return s
}

// branchRules reads the active rules of a branch, those of the organisation included, out of
// the snapshot where that has all of them (REST API, "Get rules for a branch": rulesets
// that only evaluate are not listed, attack 30), one source per ruleset. It is never absent: no rules are no sources.
func (rd *reading) branchRules(ctx context.Context, branch string) gate.Fact[[]ruleSource] {
	if all, bypass, whole := rd.snap.inForce[branch].rest(); whole {
		return rd.sources(ctx, all, bypass)
	}
	all, err := list[ruleJSON](ctx, rd.caller, nil, rd.at("rules", "branches", branch)...)
	if err != nil {
		return gate.Unknown[[]ruleSource](why(err))
	}
	return rd.sources(ctx, all, nil)
}

// sources makes them of the rules. A bypass list that is not told yet is read; where
// GraphQL told the rules, one that REST hid less than an hour ago counts as hidden still.
func (rd *reading) sources(ctx context.Context, all []ruleJSON, bypass map[int64][]bypassActor) gate.Fact[[]ruleSource] {
	byRuleset := map[int64][]ruleJSON{}
	var order []int64
	for _, r := range all {
		if r.Type == "" {
			return gate.Unknown[[]ruleSource]("GitHub listed a rule without a type")
		}
		if byRuleset[r.RulesetID] == nil {
			order = append(order, r.RulesetID)
		}
		byRuleset[r.RulesetID] = append(byRuleset[r.RulesetID], r)
	}
	slices.Sort(order)
	out := make([]ruleSource, len(order))
	errs := make([]error, len(order))
	var each sync.WaitGroup
	for i, id := range order {
		each.Go(func() {
			if out[i], errs[i] = rules(id, byRuleset[id]); errs[i] != nil {
				return
			}
			// The rules stand even where the bypass list could not be read.
			actors, err := rd.bypass(ctx, id, bypass)
			out[i].setBypass(actors, err)
		})
	}
	each.Wait()
	for _, err := range errs {
		if err != nil {
			return gate.Unknown[[]ruleSource](why(err))
		}
	}
	return gate.Known(out)
}

// bypass is the ruleset's bypass list, out of those that are told already, else by REST; nil
// where it is hidden.
func (rd *reading) bypass(ctx context.Context, id int64, lists map[int64][]bypassActor) (*[]bypassActor, error) {
	memory, key, now := rd.forge.memory, rulesetKey{rd.facts.ID.ID, id}, rd.forge.cfg.Now()
	if list, told := lists[id]; told {
		return &list, nil
	}
	if lists != nil && memory.hides(key, now) {
		return nil, nil //nolint:nilnil // hidden, as setBypass has it
	}
	set, err := rd.ruleset(ctx, id)
	if err == nil && set.BypassActors == nil {
		keep(memory, memory.hidden, maxRemembered, key, now)
	}
	return set.BypassActors, err
}

func (rd *reading) ruleset(ctx context.Context, id int64) (rulesetJSON, error) {
	var set rulesetJSON
	q := url.Values{"includes_parents": {"true"}}
	if err := rd.get(ctx, &set, q, rd.at("rulesets", strconv.FormatInt(id, 10))...); err != nil {
		return rulesetJSON{}, err
	}
	if set.ID != id {
		return rulesetJSON{}, fmt.Errorf("ruleset %d: GitHub answered for %d", id, set.ID)
	}
	return set, nil
}

// rules turns a ruleset's rules into a source. Unknown types are named, and demand
// nothing that is judged.
func rules(id int64, all []ruleJSON) (ruleSource, error) {
	s := ruleSource{name: rulesetName(id)}
	for _, r := range all {
		s.rules = append(s.rules, r.Type)
		switch r.Type {
		case "non_fast_forward":
			s.noForcePush = true
		case "deletion":
			s.noDeletion = true
		case "update":
			s.noUpdate = true
		case "creation":
			s.noCreation = true
		case "pull_request":
			var p struct {
				Count int `json:"required_approving_review_count"`
			}
			if len(r.Parameters) > 0 {
				if err := json.Unmarshal(r.Parameters, &p); err != nil {
					return s, fmt.Errorf("ruleset %d: parameters of pull_request: %w", id, err)
				}
			}
			s.pullRequests, s.reviews = true, max(s.reviews, p.Count)
		}
	}
	return s, nil
}

// setBypass takes in who may bypass the source's rules, and with them who may push without a
// pull request where a rule asks for one, or lets nobody push at all. Who may bypass in pull
// requests only may not push.
func (s *ruleSource) setBypass(actors *[]bypassActor, err error) {
	s.readBypass(actors, err)
	if !s.pullRequests && !s.noUpdate {
		return
	}
	if !s.bypass.IsKnown() {
		s.doors = append(s.doors, s.bypass)
		return
	}
	names := []string{}
	for _, a := range *actors {
		if a.Mode != "pull_request" {
			names = append(names, a.String())
		}
	}
	s.doors = append(s.doors, gate.Known(names))
}

func (s *ruleSource) readBypass(actors *[]bypassActor, err error) {
	s.adminsBound = true
	var answer *callError
	switch {
	case errors.As(err, &answer) && !answer.limited && (answer.status == http.StatusNotFound || answer.status == http.StatusForbidden):
		// A ruleset that is in force and not shown is one that the App may not see.
		s.adminsHidden, s.bypass = true, gate.Unknown[[]string](why(err))
	case err != nil:
		s.adminsUnread, s.bypass = why(err), gate.Unknown[[]string](why(err))
	case actors == nil:
		s.adminsHidden = true
		s.bypass = gate.Unknown[[]string]("GitHub shows the bypass list only to who may write rulesets")
	default:
		names := []string{}
		for _, a := range *actors {
			names = append(names, a.String())
			s.adminsBound = s.adminsBound && !a.isAdmin()
		}
		s.bypass = gate.Known(names)
	}
}

// tagProtection is the sum of the active tag rulesets that apply to the request's tag.
func (rd *reading) tagProtection(ctx context.Context) gate.Fact[gate.Protection] {
	if !rd.request.IsTag() {
		return gate.Absent[gate.Protection]("the ref is no tag")
	}
	q := url.Values{"targets": {"tag"}, "includes_parents": {"true"}}
	all, err := list[rulesetJSON](ctx, rd.caller, q, rd.at("rulesets")...)
	if err != nil {
		return gate.Unknown[gate.Protection](why(err))
	}
	var sources []ruleSource
	for _, brief := range all {
		if brief.Target != "tag" || brief.Enforcement != "active" {
			continue
		}
		set, err := rd.ruleset(ctx, brief.ID)
		if err != nil {
			return gate.Unknown[gate.Protection](why(err))
		}
		applies, err := set.applies(rd.request.Ref)
		if err != nil {
			return gate.Unknown[gate.Protection](err.Error())
		}
		if !applies {
			continue
		}
		s, err := rules(set.ID, set.Rules)
		if err != nil {
			return gate.Unknown[gate.Protection](err.Error())
		}
		s.noForcePush = s.noForcePush || s.noUpdate // a tag that cannot be updated cannot be moved
		s.noUpdate = s.noCreation                   // to push a tag is to make it
		s.setBypass(set.BypassActors, nil)
		sources = append(sources, s)
	}
	if len(sources) == 0 {
		return gate.Absent[gate.Protection]("no active ruleset applies to " + rd.request.Ref)
	}
	return gate.Known(merge(rd.request.Ref, sources))
}

// applies matches a ref as rulesets do: fnmatch with FNM_PATHNAME over the full ref,
// exclusions last (docs, "Creating rulesets for a repository").
func (s rulesetJSON) applies(ref string) (bool, error) {
	if s.Conditions == nil || s.Conditions.RefName == nil {
		return false, fmt.Errorf("ruleset %d: GitHub does not say which refs it is for", s.ID)
	}
	matches := func(patterns []string) (bool, error) {
		for _, p := range patterns {
			if p == "~ALL" {
				return true, nil
			}
			if strings.HasPrefix(p, "~") {
				continue // ~DEFAULT_BRANCH is no tag
			}
			ok, err := doublestar.Match(p, ref)
			if err != nil {
				return false, fmt.Errorf("ruleset %d: pattern %q: %w", s.ID, p, err)
			}
			if ok {
				return true, nil
			}
		}
		return false, nil
	}
	in, err := matches(s.Conditions.RefName.Include)
	if err != nil || !in {
		return false, err
	}
	out, err := matches(s.Conditions.RefName.Exclude)
	return !out, err
}

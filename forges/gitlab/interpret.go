package gitlab

import (
	"encoding/json"
	"fmt"

	"github.com/countersign/countersign/gate"
)

// payload is what the gate takes from a webhook (docs: webhook events). Nothing
// in it is believed: it says where to look. The library's event types fail on
// fields that the gate never reads.
type payload struct {
	ObjectKind string `json:"object_kind"`
	ProjectID  int64  `json:"project_id"`
	GroupID    int64  `json:"group_id"` // of an event of a group
	Project    struct {
		ID int64 `json:"id"`
	} `json:"project"`
	SHA        string          `json:"sha"` // of a job
	Tag        json.RawMessage `json:"tag"` // of a release its name; of a job whether it is of one
	Attributes struct {
		ID              int64  `json:"id"`
		IID             int64  `json:"iid"`
		SHA             string `json:"sha"` // of a pipeline
		NoteableType    string `json:"noteable_type"`
		Action          string `json:"action"`
		OldRev          string `json:"oldrev"` // of an update that a push made
		System          bool   `json:"system"`
		Internal        bool   `json:"internal"`
		TargetProjectID int64  `json:"target_project_id"`
	} `json:"object_attributes"`
	MergeRequest struct {
		IID int64 `json:"iid"`
	} `json:"merge_request"`
	Issue struct {
		IID int64 `json:"iid"`
	} `json:"issue"`
}

// project is where the event happened; of a merge request, where it leads.
func (p payload) project() int64 {
	switch {
	case p.Attributes.TargetProjectID != 0:
		return p.Attributes.TargetProjectID
	case p.Project.ID != 0:
		return p.Project.ID
	}
	return p.ProjectID
}

// thread is the thread of a note or a merge request event.
func (p payload) thread(event string) (gate.Thread, bool) {
	var t gate.Thread
	switch {
	case event == "Note Hook" && p.Attributes.NoteableType == "MergeRequest":
		t = gate.Thread{Number: p.MergeRequest.IID}
	case event == "Note Hook" && p.Attributes.NoteableType == "Issue":
		t = gate.Thread{Number: p.Issue.IID, Issue: true}
	case event == "Merge Request Hook":
		t = gate.Thread{Number: p.Attributes.IID}
	}
	return t, t.Number > 0
}

// threadOf orders deliveries: those of one thread are handled one after another.
func (f *Forge) threadOf(event string, p payload) string {
	if p.project() <= 0 {
		return ""
	}
	repo := gate.RepositoryID{Forge: f.forge, ID: p.project()}.String()
	t, ok := p.thread(event)
	switch {
	case ok && t.Issue:
		return fmt.Sprintf("%s#%d", repo, t.Number)
	case ok:
		return fmt.Sprintf("%s!%d", repo, t.Number)
	}
	return repo
}

// tenantOf is whose turn a delivery takes. The proof says that it came from the instance and
// no more: one secret serves all its hooks, X-Gitlab-Webhook-UUID is new for each sending
// (source: app/services/web_hook_service.rb), and X-Gitlab-Instance is the same for all. So
// it is the project that the payload names, though a maintainer's template can name
// another's (attack 61). That can take from the other's share of the queue; it cannot lose
// what was said there, as judging reads every thread again (attack 60). A tenant by nothing
// but the proof would be the whole instance, and one loud project enough to silence all.
func (f *Forge) tenantOf(p payload) string {
	switch {
	case p.project() > 0:
		return gate.RepositoryID{Forge: f.forge, ID: p.project()}.String()
	case p.GroupID > 0:
		return fmt.Sprintf("%s:group/%d", f.forge, p.GroupID)
	}
	return string(f.forge) + ":" // names nobody
}

// Interpret reads a proved delivery as a hint where to look. Events that say nothing
// about a release ring nowhere. Notes of confidential threads come under another
// name and never ring.
func (f *Forge) Interpret(d gate.Delivery) ([]gate.Ring, error) {
	switch d.Event {
	case "Note Hook", "Push Hook", "Tag Push Hook", "Merge Request Hook", "Pipeline Hook", "Job Hook", "Release Hook", "Member Hook":
	default:
		return nil, nil
	}
	var p payload
	if err := json.Unmarshal(d.Body, &p); err != nil {
		return nil, &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeDeliveryMalformed, Text: "the " + d.Event + " does not decode",
			Expected: "what GitLab's documentation of webhook events shows", Got: "other types", Err: err,
			Fix: "remove the webhook's custom template",
		}
	}
	if p.project() <= 0 {
		if d.Event == "Member Hook" { // of a group: every project of it, which nobody names
			return nil, nil
		}
		return nil, badDelivery("its project", "a project's number", fmt.Sprint(p.project()))
	}
	ring := gate.Ring{Repository: gate.RepositoryID{Forge: f.forge, ID: p.project()}}
	switch d.Event {
	case "Note Hook":
		return noteRing(p, ring), nil
	case "Merge Request Hook":
		ring.Change = p.changed()
	case "Pipeline Hook":
		ring.Commit = shaOrNone(p.Attributes.SHA)
	case "Release Hook":
		var tag string
		if json.Unmarshal(p.Tag, &tag) != nil || tag == "" {
			return nil, badDelivery("its tag", "a tag's name", "none")
		}
		ring.Released = "refs/tags/" + tag
	case "Job Hook":
		ring.Commit = shaOrNone(p.SHA)
	}
	return []gate.Ring{ring}, nil
}

// changed is the merge request that was opened or whose head a push changed, or 0 (docs:
// webhook events, merge request events: oldrev only where there are new commits).
func (p payload) changed() int64 {
	a := p.Attributes
	if a.IID <= 0 {
		return 0
	}
	switch {
	case a.Action == "open", a.Action == "reopen", a.Action == "update" && a.OldRev != "":
		return a.IID
	}
	return 0
}

// noteRing rings for a note that was newly created (attack 45). GitLab before 16.x
// sends no action, and then only creations.
func noteRing(p payload, ring gate.Ring) []gate.Ring {
	t, ok := p.thread("Note Hook")
	a := p.Attributes
	switch {
	case !ok || a.ID <= 0 || a.System || a.Internal:
		return nil
	case a.Action != "" && a.Action != "create":
		return []gate.Ring{ring} // an edited approval no longer counts: look again
	}
	ring.Comment = &gate.CommentRef{Repository: ring.Repository, Thread: t, ID: a.ID}
	return []gate.Ring{ring}
}

func shaOrNone(sha string) string {
	if isSHA(sha) {
		return sha
	}
	return ""
}

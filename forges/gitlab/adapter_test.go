package gitlab_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/adaptertest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/forges/gitlab"
)

// openWorld is a GitLab whose people show their e-mail addresses: that is how co-authors
// become accounts there.
type openWorld struct{ *gitlabtest.Server }

func (w openWorld) AddPerson(login string) forgetest.Person {
	p := w.Server.AddPerson(login)
	w.ShowEmail(p, true)
	return p
}

func TestContract(t *testing.T) {
	for name, o := range map[string]gitlabtest.Options{
		"free": {}, "premium, below its host": {Premium: true, SubPath: "/code/gitlab"},
	} {
		t.Run(name, func(t *testing.T) { adaptertest.Run(t, start(o)) })
	}
}

func start(o gitlabtest.Options) adaptertest.Start {
	o.Key = idTokenKey()
	return func(t *testing.T) (forgetest.World, adaptertest.Forge) {
		t.Helper()
		w := gitlabtest.New(o)
		t.Cleanup(w.Close)
		client, err := forges.NewClient(forges.Options{Bases: []string{w.URL()}, Pause: time.Millisecond, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		f, err := gitlab.New(gitlab.Config{
			Forge: adaptertest.ForgeID, URL: w.URL(), Token: w.BotToken(), WebhookSecret: []byte(secret),
			ClientID: w.ClientID(), ClientSecret: w.ClientSecret(), Client: client, Now: time.Now,
		})
		if err != nil {
			t.Fatal(err)
		}
		return openWorld{w}, f
	}
}

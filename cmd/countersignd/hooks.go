package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/forges/gitlab"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store"
)

func hooksCommand() *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "hooks", Args: cobra.NoArgs,
		Short: "See to the webhooks of GitLab's projects",
		Long: `See to it that every GitLab project that releases has one webhook that leads here, with the
right events and the secret of now: projects that a key is bound to, or that have a policy
in force. A group that a key is bound to gets one for all of its projects, where GitLab and
the bot's role allow it. Doing it again changes nothing. GitHub's App has one webhook of its own.
Exit codes: 0 no failure, 1 a failure, 2 the command line is wrong.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := &chart{}
			if err := mendHooks(cmd.Context(), c, path); err != nil {
				return err
			}
			return c.tell(cmd.OutOrStdout(), asJSON, true)
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func mendHooks(ctx context.Context, c *chart, path string) error {
	conf, err := config.Load(path)
	if err != nil {
		return err
	}
	shelf, err := openStore(ctx, conf)
	if err != nil {
		return err
	}
	defer func() { _ = shelf.Close() }() // it was only read
	for _, f := range conf.Forges {
		if f.Kind != gate.GitLab {
			continue
		}
		projects, err := releasing(ctx, conf, shelf, f.Name)
		if err != nil {
			return err
		}
		area := "Forge " + string(f.Name)
		if len(projects) == 0 {
			c.pass(area, "hooks", "no project of it releases")
			continue
		}
		adapter, err := gitlab.New(gitlabConfig(f, nil))
		if err != nil {
			return unusable(f, err)
		}
		groups, err := ownedGroups(ctx, adapter, conf, f.Name)
		if err != nil {
			return fmt.Errorf("list the groups of %s: %w", f.Name, err)
		}
		secret := f.WebhookSecret.Line(0).Reveal()
		done, err := adapter.Reconcile(ctx, projects, groups, hookOf(conf.Server.URL.String(), f.Kind, f.Name), []byte(secret))
		if err != nil {
			return fmt.Errorf("see to the hooks of %s: %w", f.Name, err)
		}
		c.found = append(c.found, done...)
	}
	return nil
}

// ownedGroups are the groups that a key is bound to and that the bot owns: one hook of theirs
// does for all of their projects.
func ownedGroups(ctx context.Context, adapter *gitlab.Forge, conf config.Config, forge gate.ForgeID) ([]int64, error) {
	all, err := adapter.Groups(ctx)
	if err != nil {
		return nil, err
	}
	var out []int64
	for _, g := range all {
		bound := func(k config.Key) bool { return slices.Contains(k.Owners, gate.AccountID{Forge: forge, ID: g.ID}) }
		if slices.ContainsFunc(conf.Keys, bound) {
			out = append(out, g.ID)
		}
	}
	return out, nil
}

// enrolledMost is how many repositories with a policy in force are looked at.
const enrolledMost = 10_000

// releasing are the forge's repositories that a key is bound to, or that have a policy in
// force.
func releasing(ctx context.Context, c config.Config, shelf *store.Store, forge gate.ForgeID) ([]int64, error) {
	var out []int64
	add := func(r gate.RepositoryID) {
		if r.Forge == forge && !slices.Contains(out, r.ID) {
			out = append(out, r.ID)
		}
	}
	for _, k := range c.Keys {
		for _, r := range k.Repositories {
			add(r)
		}
	}
	all, err := shelf.Enrolled(ctx, enrolledMost)
	for _, e := range all {
		add(e.Adoption.Repository)
	}
	return out, err
}

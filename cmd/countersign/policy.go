package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"
)

// boundKey stands for the key that only the server knows, where the file names none.
const boundKey = "the one bound to the repository"

// policyFlags are what a file does not say about where it lies.
type policyFlags struct {
	forge  string
	branch string
	person bool     // a person's account owns the repository
	floors []string // files
}

// reading is a policy file as one forge reads it.
type reading struct {
	Forge    gate.ForgeKind     `json:"forge"`
	Mode     gate.Mode          `json:"mode"`
	Releases []policy.Explained `json:"releases"`

	policy gate.Policy
	origin policy.Origin
}

func (a *app) policyCommand() *cobra.Command {
	var flags policyFlags
	lint := &cobra.Command{
		Use: "lint [file]", Args: cobra.MaximumNArgs(1),
		Short:   "Check a policy file without a server",
		Long:    "Check a policy file as the gate reads it. The first mistake is shown with its line and column;\nthe exit code is then 2.",
		Example: "  countersign policy lint .countersign.yaml",
		RunE: func(_ *cobra.Command, files []string) error {
			path, read, err := readings(files, flags)
			if err != nil {
				return err
			}
			return a.linted(path, read)
		},
	}
	explain := &cobra.Command{
		Use: "explain [file]", Args: cobra.MaximumNArgs(1),
		Short:   "Show what a policy file comes to, defaults included",
		Example: "  countersign policy explain .countersign.yaml",
		RunE: func(_ *cobra.Command, files []string) error {
			path, read, err := readings(files, flags)
			if err != nil {
				return err
			}
			return a.explained(path, read)
		},
	}
	cmd := &cobra.Command{
		Use: "policy", Short: "Check, explain and try a repository's policy file", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&flags.forge, "forge", "", "github or gitlab (default: each that the file is for)")
	cmd.PersistentFlags().StringVar(&flags.branch, "default-branch", "main", "the repository's default branch")
	cmd.PersistentFlags().BoolVar(&flags.person, "personal", false, "the repository belongs to a person's account, which has no teams")
	cmd.PersistentFlags().StringArrayVar(&flags.floors, "floor", nil, "a floor's file that the policy is held to, as NAME=FILE; may be given several times")
	cmd.AddCommand(lint, explain, a.policyTest(&flags))
	return cmd
}

// readings reads the file for the forge that the flags name, or for each forge that it
// is for. A file that no forge reads is refused as the forge refuses it that reads on the
// furthest: one is for GitHub where nothing else shows.
func readings(files []string, flags policyFlags) (string, []reading, error) {
	path := policy.Path
	if len(files) == 1 {
		path = files[0]
	}
	kinds := []gate.ForgeKind{gate.GitHub, gate.GitLab}
	switch flags.forge {
	case "":
	case string(gate.GitHub), string(gate.GitLab):
		kinds = []gate.ForgeKind{gate.ForgeKind(flags.forge)}
	default:
		return path, nil, usage("--forge does not fit", "github or gitlab", fmt.Sprintf("%.64q", flags.forge), "leave it out to have both tried")
	}
	file, err := readPolicy(path)
	if err != nil {
		return path, nil, usage("the policy file cannot be read", path, err.Error(), "name it: countersign policy lint .countersign.yaml")
	}
	floors, err := readFloors(flags.floors)
	if err != nil {
		return path, nil, err
	}
	var out []reading
	var refused []error
	for _, kind := range kinds {
		where := policy.Origin{
			Repository: gate.RepositoryID{Forge: gate.ForgeID(kind), ID: 1}, Commit: strings.Repeat("0", 40),
			Path: path, DefaultBranch: flags.branch, Kind: kind, Keys: []string{boundKey},
			OwnerIsUser: flags.person, Floors: floors, Witnesses: policy.MaxWitnesses,
		}
		p, releases, err := policy.Explain(file, where)
		if err != nil {
			refused = append(refused, err)
			continue
		}
		out = append(out, reading{Forge: kind, Mode: p.Mode, Releases: releases, policy: p, origin: where})
	}
	if len(out) == 0 {
		return path, nil, shownBelow(furthest(refused))
	}
	return path, out, nil
}

// readFloors reads the floors that the flags name.
func readFloors(flags []string) ([]policy.Floor, error) {
	var out []policy.Floor
	for _, flag := range flags {
		name, path, ok := strings.Cut(flag, "=")
		if !ok {
			return nil, usage("--floor does not fit", "NAME=FILE, such as server=floor.yaml", fmt.Sprintf("%.64q", flag), "name the floor as the server's configuration does")
		}
		file, err := readPolicy(path)
		if err != nil {
			return nil, usage("the floor's file cannot be read", path, err.Error(), "name it: --floor server=floor.yaml")
		}
		f, err := policy.ParseFloor(name, path, file)
		if err != nil {
			return nil, shownBelow(err)
		}
		if slices.ContainsFunc(out, func(o policy.Floor) bool { return o.Name == f.Name }) {
			return nil, usage("two floors are named "+name, "a name of its own for each", name, "give each its own")
		}
		out = append(out, f)
	}
	return out, nil
}

// furthest prefers a refusal over that of a forge which the file is not for.
func furthest(refused []error) error {
	for _, err := range refused {
		var e *gate.Error
		if errors.As(err, &e) && !strings.Contains(e.Text, "the release names no") {
			return err
		}
	}
	return refused[0]
}

// shownBelow moves the file's line and the caret from the title, which is one line, to
// what came.
func shownBelow(err error) error {
	var e *gate.Error
	if !errors.As(err, &e) {
		return err
	}
	title, excerpt, found := strings.Cut(e.Text, "\n")
	if !found {
		return err
	}
	return &gate.Error{Kind: e.Kind, Code: e.Code, Text: title, Expected: e.Expected, Got: e.Got + "\n" + excerpt, Fix: e.Fix}
}

// readPolicy reads one byte more than a policy may have, for the reader to refuse.
func readPolicy(path string) ([]byte, error) {
	f, err := os.Open(path) // the user names it
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	return io.ReadAll(io.LimitReader(f, policy.MaxFile+1))
}

func (a *app) linted(path string, read []reading) error {
	if a.flags.json {
		return a.printJSON(struct {
			OK     bool             `json:"ok"`
			Forges []gate.ForgeKind `json:"forges"`
		}{true, forges(read)})
	}
	var names []string
	for _, k := range forges(read) {
		names = append(names, string(k))
	}
	out := fmt.Sprintf("%s reads well, for %s; streams: %d\n", plain(path), strings.Join(names, " and "), len(read[0].Releases))
	for _, r := range read {
		for _, s := range r.Releases {
			for _, v := range s.Values {
				if strings.Contains(v.Source, "floor ") {
					out += fmt.Sprintf("  on %s, %s: %s is %s (%s)\n", r.Forge, s.Name, v.Field, plain(v.Value), v.Source)
				}
			}
		}
	}
	return a.print(out)
}

func forges(read []reading) []gate.ForgeKind {
	var out []gate.ForgeKind
	for _, r := range read {
		out = append(out, r.Forge)
	}
	return out
}

func (a *app) explained(path string, read []reading) error {
	if a.flags.json {
		return a.printJSON(struct {
			Forges []reading `json:"forges"`
		}{read})
	}
	var out strings.Builder
	for _, r := range read {
		fmt.Fprintf(&out, "%s on %s, mode %s\n", plain(path), r.Forge, r.Mode)
		for _, s := range r.Releases {
			fmt.Fprintf(&out, "\n%s\n", s.Name)
			for _, v := range s.Values {
				fmt.Fprintf(&out, "  %-20s  %s", v.Field, plain(v.Value))
				if v.Source != policy.FromFile {
					fmt.Fprintf(&out, "  (%s)", v.Source)
				}
				out.WriteString("\n")
			}
		}
	}
	return a.print(out.String())
}

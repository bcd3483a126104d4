package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/web/setup"
)

// draft is how far a setup came. It is written down after every step, without a secret, so
// that the next run goes on there.
type draft struct {
	URL          string `json:"url"`
	Listen       string `json:"listen"`
	HealthListen string `json:"health_listen"`
	Data         string `json:"data"`
	Clients      string `json:"clients,omitempty"`

	Module   string `json:"module"`
	Token    string `json:"token"`
	PINFile  string `json:"pin_file"`
	Software bool   `json:"software"`

	Forge         *draftForge    `json:"forge,omitempty"`
	Holders       []setup.Holder `json:"holders,omitempty"`
	Administrator *gate.Account  `json:"administrator,omitempty"`
	Key           *draftKey      `json:"key,omitempty"`
	// Own are the gate's own keys, made before the first release key.
	Own []keyOutput `json:"own,omitempty"`

	// Wrote are the files in the folder that the setup made: it writes over no others.
	Wrote []string `json:"wrote,omitempty"`
	Done  bool     `json:"done"`
}

// draftForge is the forge that was connected; of secrets it knows the files.
type draftForge struct {
	Kind       gate.ForgeKind `json:"kind"`
	URL        string         `json:"url"`
	Account    string         `json:"account"`
	InstallURL string         `json:"install_url,omitempty"`
	AppID      int64          `json:"app_id,omitempty"`
	ClientID   string         `json:"client_id"`

	PrivateKeyFile    string `json:"private_key_file,omitempty"`
	TokenFile         string `json:"token_file,omitempty"`
	WebhookSecretFile string `json:"webhook_secret_file"`
	ClientSecretFile  string `json:"client_secret_file"`
}

type draftKey struct {
	Lineage string `json:"lineage"`
	keyOutput
}

// folder is where a setup writes: the draft, the secrets and, at its end, the
// configuration.
type folder struct{ path string }

const (
	draftName  = "setup.json"
	configName = "countersign.yaml"
	secretsDir = "secrets"
)

func (f folder) at(name string) string { return filepath.Join(f.path, name) }

// load reads the draft of an earlier run; a new one where there is none. What is there and
// was not written by a setup is left alone: CodeConfig.
func (f folder) load() (draft, error) {
	b, err := os.ReadFile(f.at(draftName))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(f.at(configName)); err == nil {
			return draft{}, inTheWay(f.at(configName))
		}
		return draft{}, nil
	}
	if err != nil {
		return draft{}, fmt.Errorf("read how far the setup came: %w", err)
	}
	var d draft
	if err := json.Unmarshal(b, &d); err != nil {
		return draft{}, &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeConfig, Text: f.at(draftName) + " does not read", Fix: "remove it to begin again", Err: err,
		}
	}
	if d.Done {
		return d, &gate.Error{
			Kind: gate.Conflict, Code: gate.CodeConfig, Text: "the gate of " + f.path + " is set up",
			Fix: "countersignd serve --config " + f.at(configName),
		}
	}
	return d, nil
}

func inTheWay(path string) error {
	return &gate.Error{
		Kind: gate.Conflict, Code: gate.CodeConfig, Text: "there is a " + path + " that no setup wrote",
		Fix: "name another folder with --dir, or move the file away",
	}
}

// save writes the draft.
func (f folder) save(d draft) error {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return fmt.Errorf("write how far the setup came: %w", err)
	}
	return f.replace(draftName, append(b, '\n'))
}

// replace writes a file whole or not at all, mode 0600.
func (f folder) replace(name string, content []byte) error {
	path := f.at(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return unwritable(path, err)
	}
	t, err := os.CreateTemp(filepath.Dir(path), ".setup-*") // mode 0600
	if err != nil {
		return unwritable(path, err)
	}
	_, err = t.Write(content)
	err = errors.Join(err, t.Sync(), t.Close())
	if err == nil {
		err = os.Rename(t.Name(), path)
	}
	if err != nil {
		return unwritable(path, errors.Join(err, os.Remove(t.Name())))
	}
	return nil
}

func unwritable(path string, err error) error {
	return &gate.Error{
		Kind: gate.Invalid, Code: gate.CodeConfig, Text: path + " cannot be written",
		Fix: "let this account write there, or name another folder with --dir", Err: err,
	}
}

// own writes a file of the setup's own and remembers that it is: a file of that name that
// somebody else made stays as it is.
func (f folder) own(d *draft, name string, content []byte) error {
	if _, err := os.Lstat(f.at(name)); err == nil && !slices.Contains(d.Wrote, name) {
		return inTheWay(f.at(name))
	}
	if !slices.Contains(d.Wrote, name) {
		// First the word, then the deed: a run that ends between them may write it again.
		d.Wrote = append(d.Wrote, name)
		if err := f.save(*d); err != nil {
			return err
		}
	}
	return f.replace(name, content)
}

// secret keeps a secret and returns its file: a new one, or the one that the value names.
func (f folder) secret(d *draft, name, value string) (string, error) {
	value = strings.TrimSpace(strings.ReplaceAll(value, "\r\n", "\n"))
	if filepath.IsAbs(value) && !strings.Contains(value, "\n") {
		return value, nil
	}
	if value == "" {
		return "", &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeConfig, Text: "a secret is missing: " + name,
			Expected: "the secret, or the absolute path of its file", Got: "nothing", Fix: "fill in every field",
		}
	}
	name = filepath.Join(secretsDir, name)
	return f.at(name), f.own(d, name, []byte(value+"\n"))
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/hsm"
)

// terminal is the terminal's part of a setup. What the command line says has to hold; what
// is answered may be answered again.
type terminal struct {
	*asker

	tool    tool
	folder  folder
	options setupOptions
}

func trimmed(line string) string { return strings.TrimSpace(line) }

// fill completes the draft and tries each part at once.
func (t *terminal) fill(ctx context.Context, d *draft) error {
	t.options.standards(t.folder.path, d)
	if err := os.MkdirAll(d.Data, 0o700); err != nil {
		return &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeConfig, Text: "the database's folder cannot be made",
			Fix: "let this account write there, or name another folder with --data", Err: err,
		}
	}
	before := *d
	if err := t.settle(ctx, t.options.url, d.URL, "url", "Public URL of this server, as CI jobs and people reach it, such as https://gate.example", func(v string) error {
		if err := config.CheckURL(v, false); err != nil {
			return &gate.Error{Kind: gate.Invalid, Code: gate.CodeConfig, Text: err.Error(), Fix: "write it as browsers show it"}
		}
		d.URL = strings.TrimRight(v, "/")
		return nil
	}); err != nil {
		return err
	}
	if err := t.module(ctx, d); err != nil {
		return err
	}
	if before.Module != d.Module || before.Token != d.Token {
		d.Key, d.Own = nil, nil // they are on the token that was named before
	}
	return nil
}

// settle takes what the flag says, else what an earlier run knew, else asks until an answer
// holds. An earlier run's value that no longer holds is asked for again.
func (t *terminal) settle(ctx context.Context, flag, known, name, question string, take func(value string) error) error {
	if flag != "" {
		return take(flag)
	}
	if known != "" {
		err := take(known)
		if err == nil {
			return nil
		}
		t.say("%s: %s", known, explain(err))
	}
	for {
		answer, err := t.ask(ctx, question, name)
		if err != nil {
			return err
		}
		if err := take(answer); err == nil {
			return nil
		} else if answer == "" {
			continue
		} else {
			t.say("%s", explain(err))
		}
	}
}

// knownModules are where vendors and distributions put their modules.
func knownModules() []string {
	return []string{
		"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
		"/usr/lib64/pkcs11/libsofthsm2.so", "/opt/homebrew/lib/softhsm/libsofthsm2.so",
		"/usr/lib/x86_64-linux-gnu/pkcs11/yubihsm_pkcs11.so", "/usr/lib64/pkcs11/yubihsm_pkcs11.so",
		"/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so", "/usr/lib64/opensc-pkcs11.so",
		"/usr/lib/x86_64-linux-gnu/pkcs11/libtpm2_pkcs11.so", "/opt/cloudhsm/lib/libcloudhsm_pkcs11.so",
		"/usr/safenet/lunaclient/lib/libCryptoki2_64.so", "/opt/nfast/toolkits/pkcs11/libcknfast.so", "/usr/lib/libkmsp11.so",
	}
}

// module settles the module, and with its tokens the rest.
func (t *terminal) module(ctx context.Context, d *draft) error {
	here := slices.DeleteFunc(knownModules(), func(path string) bool {
		_, err := os.Stat(path)
		return err != nil
	})
	question := "Path of your HSM's PKCS#11 module"
	if len(here) > 0 {
		question += ", or the number of one found here:" + numbered(here)
	}
	var tokens []hsm.TokenInfo
	err := t.settle(ctx, t.options.module, d.Module, "module", question, func(v string) error {
		path, err := filepath.Abs(chosen(v, here))
		if err != nil {
			return err
		}
		out, err := t.tool.run(ctx, "keys", "tokens", "--json", "--module", path)
		if err != nil {
			return err
		}
		d.Module, tokens = path, nil
		return json.Unmarshal(out, &tokens)
	})
	if err != nil {
		return err
	}
	t.say("The module loads: %s.", d.Module)
	return t.tokenOf(ctx, d, tokens)
}

func numbered(list []string) string {
	var b strings.Builder
	for i, x := range list {
		fmt.Fprintf(&b, "\n  %d  %s", i+1, x)
	}
	return b.String()
}

// chosen is what an answer names: one of the list by its number, or itself.
func chosen(answer string, list []string) string {
	if n, err := strconv.Atoi(answer); err == nil && n >= 1 && n <= len(list) {
		return list[n-1]
	}
	return answer
}

// tokenOf settles the token and its PIN file. A new SoftHSM token is made only on request.
func (t *terminal) tokenOf(ctx context.Context, d *draft, tokens []hsm.TokenInfo) error {
	var labels, lines []string
	for _, x := range tokens {
		line := fmt.Sprintf("%s (%s %s)", x.Label, x.Manufacturer, x.Model)
		if x.Problem != "" {
			line += ": unusable, " + x.Problem
		}
		labels, lines = append(labels, x.Label), append(lines, line)
	}
	question := "Label of the token"
	if len(labels) > 0 {
		question += ", or the number of one present:" + numbered(lines)
	}
	if strings.Contains(strings.ToLower(d.Module), "softhsm") {
		question += "\nA label after \"new \" makes a SoftHSM token of that label, for a trial"
	}
	return t.settle(ctx, t.options.token, d.Token, "token", question, func(v string) error {
		label, isNew := strings.CutPrefix(chosen(v, labels), "new ")
		i := slices.IndexFunc(tokens, func(x hsm.TokenInfo) bool { return x.Label == label })
		switch {
		case i < 0 && (isNew || t.options.softHSM):
			return t.makeToken(ctx, d, label)
		case i < 0:
			return &gate.Error{
				Kind: gate.Invalid, Code: gate.CodeConfig, Text: fmt.Sprintf("the module shows no token %q", label),
				Expected: "one of " + strings.Join(labels, ", "), Got: label, Fix: "name one of them; --init-softhsm makes one of a SoftHSM module",
			}
		case tokens[i].Problem != "":
			return &gate.Error{Kind: gate.Invalid, Code: gate.CodeConfig, Text: fmt.Sprintf("token %q cannot sign releases: %s", label, tokens[i].Problem), Fix: "name another"}
		}
		d.Token, d.Software = label, tokens[i].Software
		return t.pin(ctx, d)
	})
}

// makeToken makes a SoftHSM token with a PIN of its own in a file of its own.
func (t *terminal) makeToken(ctx context.Context, d *draft, label string) error {
	path := t.options.pinFile
	if path == "" {
		path = t.folder.at(filepath.Join(secretsDir, "pin"))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return unwritable(path, err)
		}
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if _, err := t.tool.run(ctx, "keys", "init", "--module", d.Module, "--token", label, "--pin-file", path); err != nil {
		return err
	}
	d.Token, d.PINFile, d.Software = label, path, true
	t.say("Made the token %s; its PIN is in %s.", label, path)
	return nil
}

// pin settles the PIN file: the token has to open with it. A wrong PIN is tried once.
func (t *terminal) pin(ctx context.Context, d *draft) error {
	question := fmt.Sprintf("Path of the file that holds the PIN of token %s (mode 0600)", d.Token)
	return t.settle(ctx, t.options.pinFile, d.PINFile, "pin-file", question, func(v string) error {
		path, err := filepath.Abs(v)
		if err != nil {
			return err
		}
		if _, err := t.tool.run(ctx, "keys", "list", "--json", "--module", d.Module, "--token", d.Token, "--pin-file", path); err != nil {
			return err
		}
		d.PINFile = path
		t.say("The token opens: %s.", d.Token)
		return nil
	})
}

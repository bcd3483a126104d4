package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/attest"
)

// summarise appends the request to the job summary, where the CI has one
// (GITHUB_STEP_SUMMARY). With files, it says how to verify them.
func (a *app) summarise(r api.Release, files []placed) error {
	path := a.env["GITHUB_STEP_SUMMARY"]
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644) // the runner names it and reads it
	if err != nil {
		return broken("the job summary cannot be opened", err, "unset GITHUB_STEP_SUMMARY")
	}
	_, err = f.WriteString(summary(r, files))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return broken("the job summary cannot be written", err, "unset GITHUB_STEP_SUMMARY")
	}
	return nil
}

// summary is a request in GitHub's Markdown. Everything from outside is escaped.
func summary(r api.Release, files []placed) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### Release %s: %s\n\n", markdown(gate.ShortRef(r.Ref)), markdown(string(r.State)))
	if link := webLink(r.URL); link != "" {
		fmt.Fprintf(&b, "[Release page](%s), code `%s`\n\n", link, codeSpan(r.Code))
	}
	for _, c := range r.Checks {
		mark := " "
		if c.Outcome == gate.Granted {
			mark = "x"
		}
		fmt.Fprintf(&b, "- [%s] **%s**: %s\n", mark, markdown(string(c.Name)), markdown(c.Reason))
	}
	for _, l := range openPoints(r) {
		fmt.Fprintf(&b, "- %s\n", markdown(l))
	}
	b.WriteString("\n| File | SHA-256 |\n|---|---|\n")
	for _, s := range r.Subjects {
		fmt.Fprintf(&b, "| %s | `%s` |\n", markdown(s.Name), s.SHA256)
	}
	if len(files) > 0 && len(r.Subjects) > 0 {
		name := shellWord(r.Subjects[0].Name)
		fmt.Fprintf(&b, "\nVerify, with the public key that you trust:\n\n```sh\ncountersign verify --key %s %s\n", attest.KeyName, name)
		fmt.Fprintf(&b, "cosign verify-blob --key %s --bundle %s --private-infrastructure %s\n```\n",
			attest.KeyName, shellWord(r.Subjects[0].Name+attest.BundleSuffix), name)
	}
	b.WriteByte('\n')
	return b.String()
}

// webLink is a URL that cannot end the link it stands in; "" where it is none.
func webLink(raw string) string {
	u, err := secureURL(raw)
	if err != nil || strings.ContainsAny(raw, " ()<>[]\\\"'`\n\r\t") {
		return ""
	}
	return u.String()
}

func codeSpan(s string) string { return strings.ReplaceAll(plain(s), "`", "") }

// shellWord quotes a name for a POSIX shell, on one line.
func shellWord(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/+-") == "" && s != "" {
		return s
	}
	return "'" + strings.ReplaceAll(plain(s), "'", `'\''`) + "'"
}

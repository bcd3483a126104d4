package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/gate"
)

// MaxWitnesses is how many witnesses a policy may ask for.
const MaxWitnesses = 16

// alwaysMade are the formats that every release has. A file may name them, and cannot leave
// them out.
func alwaysMade() []string { return []string{string(gate.FormatSigstore), string(gate.FormatDSSE)} }

// overSums are the formats that sign SHA256SUMS, in the order in which they are kept.
func overSums() []string {
	return []string{string(gate.FormatOpenPGP), string(gate.FormatSSH), string(gate.FormatRaw)}
}

func publications() []string {
	return []string{string(gate.PublishAssets), string(gate.PublishAttestations)}
}

// publishing reads what is made of a release's signatures, and where it goes.
func (r *reader) publishing(f map[string]field, where Origin, s *gate.Stream) {
	if x, ok := f["formats"]; ok {
		s.Formats = r.formats(x)
	}
	if x, ok := f["witnesses"]; ok {
		s.Witnesses = r.number("witnesses", x.value, 0, MaxWitnesses)
	}
	if x, ok := f["publish"]; ok {
		s.Publish = r.publish(x, where.Kind)
	}
}

// formats keeps those that take signatures of their own.
func (r *reader) formats(f field) []gate.Format {
	named := r.words(f, "format", append(alwaysMade(), overSums()...))
	var out []gate.Format
	for _, of := range overSums() {
		if slices.Contains(named, of) {
			out = append(out, gate.Format(of))
		}
	}
	return out
}

// publish refuses what the forge has not; the zero kind takes both.
func (r *reader) publish(f field, kind gate.ForgeKind) []gate.Publication {
	named := r.words(f, "publication", publications())
	if seq := r.list(f); kind == gate.GitLab && r.err == nil {
		if i := slices.Index(named, string(gate.PublishAttestations)); i >= 0 {
			r.bad(seq[i], "GitLab has no API for attestations", string(gate.PublishAssets), quoted(named[i]),
				"leave it out: as assets the same bundles are files of the release")
		}
	}
	var out []gate.Publication
	for _, p := range publications() {
		if slices.Contains(named, p) {
			out = append(out, gate.Publication(p))
		}
	}
	return out
}

// words reads a list of different words, each one of a few.
func (r *reader) words(f field, what string, of []string) []string {
	var out []string
	for _, n := range r.list(f) {
		w := r.word("a "+what, n, of...)
		if slices.Contains(out, w) {
			r.bad(n, what+" "+quoted(w)+" stands twice", "every "+what+" once", quoted(w), "keep one of them")
		}
		out = append(out, w)
	}
	return out
}

// publishing adds to what is made and where it goes, and never takes away from it. What a
// floor wants at the other forge alone is left aside: a floor may hold repositories of both.
func (h holder) publishing() {
	s, a := h.stream, h.floor.ask
	h.raise("witnesses", a.witnesses > s.Witnesses, func() { s.Witnesses = a.witnesses })
	formats := add(slices.Clone(s.Formats), a.formats...)
	h.raise("formats", len(formats) > len(s.Formats), func() { s.Formats = formats })
	there := slices.DeleteFunc(slices.Clone(a.publish), func(p gate.Publication) bool {
		return p == gate.PublishAttestations && h.where.Kind == gate.GitLab
	})
	publish := add(slices.Clone(s.Publish), there...)
	h.raise("publish", len(publish) > len(s.Publish), func() { s.Publish = publish })
}

// witnessed refuses a stream, as the file and the floors together have it, that waits for more
// witnesses than there are: its releases would be signed and never handed out.
func (h holder) witnessed() {
	if h.stream.Witnesses <= h.where.Witnesses {
		return
	}
	there := "none"
	if h.where.Witnesses > 0 {
		there = fmt.Sprint(h.where.Witnesses)
	}
	fix := "ask for fewer, or have the operator of the server add witnesses"
	if len(h.by["witnesses"]) > 0 {
		fix = "the operator of the server adds witnesses, or lowers the floor"
	}
	h.bad(h.at("witnesses"), fmt.Sprintf("%s asks for witnesses: %d, and the server has %s", h.others("witnesses", "the release"), h.stream.Witnesses, there),
		span(0, h.where.Witnesses), fmt.Sprint(h.stream.Witnesses), fix)
}

// spelledFormats names all that are made.
func spelledFormats(over []gate.Format) string {
	out := alwaysMade()
	for _, f := range over {
		out = append(out, string(f))
	}
	return strings.Join(out, ", ")
}

func spelledPublish(to []gate.Publication) string {
	var out []string
	for _, p := range to {
		out = append(out, string(p))
	}
	return orElse(strings.Join(out, ", "), "none")
}

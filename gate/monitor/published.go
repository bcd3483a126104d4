package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/canonical"
)

// maxPublished bounds one file of a published release that is read, in bytes.
const maxPublished = 8 << 20

// Published is what is known of releases from elsewhere: the digests of everything that was
// signed for them.
type Published struct{ digests map[gate.Digest]struct{} }

// has also answers for none.
func (p *Published) has(d gate.Digest) bool {
	if p == nil {
		return false
	}
	_, ok := p.digests[d]
	return ok
}

// Len is how many digests are known.
func (p *Published) Len() int { return len(p.digests) }

// ReadPublished reads the folders of published releases below dir, as the client collects
// them: SHA256SUMS, with what it and its formats sign, and *.dsse.json.
func ReadPublished(ctx context.Context, dir string) (*Published, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("read published releases: %w", err)
	}
	defer func() { _ = root.Close() }() // only read
	p := &Published{digests: map[gate.Digest]struct{}{}}
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if err := p.take(root, path, d.Name()); err != nil {
			return fmt.Errorf("read published releases: %s: %w", filepath.Join(dir, path), err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Published) take(root *os.Root, path, name string) error {
	sums, envelope := name == attest.SumsName, strings.HasSuffix(name, ".dsse.json")
	if !sums && !envelope {
		return nil
	}
	f, err := root.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	b, err := io.ReadAll(io.LimitReader(f, maxPublished+1))
	switch {
	case err != nil:
		return err
	case len(b) > maxPublished:
		return fmt.Errorf("expected at most %d bytes", maxPublished)
	case envelope:
		return p.takeEnvelope(b)
	}
	return p.takeSums(b)
}

// takeSums knows the files, and SHA256SUMS itself in the formats that put nothing around it.
func (p *Published) takeSums(b []byte) error {
	m, err := canonical.ParseManifest(b)
	if err != nil {
		return err
	}
	for _, s := range m.Subjects {
		p.digests[s.SHA256] = struct{}{}
	}
	for _, f := range []gate.Format{gate.FormatRaw, gate.FormatSSH} {
		d, err := gate.SumsDigest(f, m, nil)
		if err != nil {
			return err
		}
		p.digests[d] = struct{}{}
	}
	return nil
}

func (p *Published) takeEnvelope(b []byte) error {
	var e struct {
		PayloadType string `json:"payloadType"`
		Payload     []byte `json:"payload"`
	}
	if err := json.Unmarshal(b, &e); err != nil {
		return err
	}
	if e.PayloadType != gate.InTotoType || len(e.Payload) == 0 {
		return errors.New("expected a DSSE envelope with an in-toto statement")
	}
	p.digests[gate.StatementDigest(e.Payload)] = struct{}{}
	return nil
}

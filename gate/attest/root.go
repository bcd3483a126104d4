package attest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	trustpb "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/countersign/countersign/gate/canonical"
	"github.com/countersign/countersign/gate/ledger"
)

// TrustedRoot is the trusted_root.json of t as stock verifiers read it: one line with its
// line feed (gh leaves a last line without one aside). The same trust gives the same bytes.
//
// Each log's base URL is https:// and its origin: verifiers take the host of the one for the
// other. There is no checkpointKeyId, which some of them refuse.
func TrustedRoot(t Trust) ([]byte, error) {
	t, err := t.check()
	if err != nil {
		return nil, err
	}
	message, err := t.message()
	if err != nil {
		return nil, err
	}
	// protojson varies its white space on purpose from build to build.
	loose, err := protojson.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("encode trusted root: %w", err)
	}
	out, err := canonical.JSON(json.RawMessage(loose))
	if err != nil {
		return nil, fmt.Errorf("encode trusted root: %w", err)
	}
	if len(out) >= MaxTrustedRoot {
		return nil, fmt.Errorf("encode trusted root: expected less than %d bytes, got %d", MaxTrustedRoot, len(out))
	}
	return append(out, '\n'), nil
}

// ParseTrustedRoot reads a trusted root of a gate. It refuses whatever [TrustedRoot] would
// not have written, but for white space and the order of members: who reads a root must not
// pass over a part of it.
func ParseTrustedRoot(text []byte) (Trust, error) {
	if len(text) > MaxTrustedRoot {
		return Trust{}, fmt.Errorf("read trusted root: expected at most %d bytes, got %d", MaxTrustedRoot, len(text))
	}
	var message trustpb.TrustedRoot
	if err := protojson.Unmarshal(text, &message); err != nil {
		return Trust{}, fmt.Errorf("read trusted root: expected JSON of %s: %w", TrustedRootType, err)
	}
	if message.GetMediaType() != TrustedRootType {
		return Trust{}, fmt.Errorf("read trusted root: expected media type %s, got %q", TrustedRootType, message.GetMediaType())
	}
	t, err := trustOf(&message)
	if err != nil {
		return Trust{}, fmt.Errorf("read trusted root: %w", err)
	}
	if t, err = t.check(); err != nil {
		return Trust{}, err
	}
	again, err := t.message()
	if err != nil {
		return Trust{}, err
	}
	if !proto.Equal(&message, again) {
		return Trust{}, errors.New("read trusted root: expected nothing but what a gate writes, the oldest first; there is more in it, or another order")
	}
	return t, nil
}

// message is the format's own form of a trust that was checked.
func (t Trust) message() (*trustpb.TrustedRoot, error) {
	m := &trustpb.TrustedRoot{MediaType: TrustedRootType}
	for _, l := range t.Logs {
		key, err := l.Key()
		if err != nil {
			return nil, fmt.Errorf("trusted root: %w", err)
		}
		details := commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256
		if key.Ed25519() {
			details = commonpb.PublicKeyDetails_PKIX_ED25519
		}
		m.Tlogs = append(m.Tlogs, instance(l.Origin, l.SPKI, details, key.ID(), l.Since))
	}
	for _, c := range t.CTLogs {
		id := ctLogID(c.SPKI)
		m.Ctlogs = append(m.Ctlogs, instance(c.Origin, c.SPKI, commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256, id, c.Since))
	}
	var err error
	if m.CertificateAuthorities, err = authorities(t.CAs); err != nil {
		return nil, err
	}
	m.TimestampAuthorities, err = authorities(t.TSAs)
	return m, err
}

func instance(origin string, spki []byte, details commonpb.PublicKeyDetails, id []byte, since time.Time) *trustpb.TransparencyLogInstance {
	return &trustpb.TransparencyLogInstance{
		BaseUrl: "https://" + origin, HashAlgorithm: commonpb.HashAlgorithm_SHA2_256,
		PublicKey: &commonpb.PublicKey{RawBytes: spki, KeyDetails: details, ValidFor: span(since, time.Time{})},
		LogId:     &commonpb.LogId{KeyId: id},
	}
}

func authorities(all []TrustedAuthority) ([]*trustpb.CertificateAuthority, error) {
	var out []*trustpb.CertificateAuthority
	for _, a := range all {
		certs, err := a.Certificates()
		if err != nil {
			return nil, fmt.Errorf("trusted root: %w", err)
		}
		root := certs[len(certs)-1]
		m := &trustpb.CertificateAuthority{
			Subject:   &commonpb.DistinguishedName{CommonName: root.Subject.CommonName},
			Uri:       a.URI,
			CertChain: &commonpb.X509CertificateChain{},
			ValidFor:  span(a.Since, a.Until),
		}
		if len(root.Subject.Organization) > 0 {
			m.Subject.Organization = root.Subject.Organization[0]
		}
		for _, der := range a.Chain {
			m.CertChain.Certificates = append(m.CertChain.Certificates, &commonpb.X509Certificate{RawBytes: der})
		}
		out = append(out, m)
	}
	return out, nil
}

func span(since, until time.Time) *commonpb.TimeRange {
	r := &commonpb.TimeRange{Start: timestamppb.New(since.UTC().Truncate(time.Second))}
	if !until.IsZero() {
		r.End = timestamppb.New(until.UTC().Truncate(time.Second))
	}
	return r
}

// trustOf takes a message apart. What it leaves aside shows when it is put together again.
func trustOf(m *trustpb.TrustedRoot) (Trust, error) {
	var t Trust
	for _, l := range m.GetTlogs() {
		origin, since, err := readInstance(l)
		if err != nil {
			return Trust{}, err
		}
		t.Logs = append(t.Logs, TrustedLog{Origin: origin, SPKI: l.GetPublicKey().GetRawBytes(), Since: since})
	}
	for _, l := range m.GetCtlogs() {
		origin, since, err := readInstance(l)
		if err != nil {
			return Trust{}, err
		}
		t.CTLogs = append(t.CTLogs, TrustedCT{Origin: origin, SPKI: l.GetPublicKey().GetRawBytes(), Since: since})
	}
	var err error
	if t.CAs, err = readAuthorities(m.GetCertificateAuthorities()); err != nil {
		return Trust{}, err
	}
	t.TSAs, err = readAuthorities(m.GetTimestampAuthorities())
	return t, err
}

func readInstance(l *trustpb.TransparencyLogInstance) (origin string, since time.Time, err error) {
	u, err := url.Parse(l.GetBaseUrl())
	if err != nil || u.Hostname() == "" || l.GetBaseUrl() != "https://"+u.Hostname() {
		return "", time.Time{}, fmt.Errorf("log: expected a base URL https://host, got %q", l.GetBaseUrl())
	}
	r := l.GetPublicKey().GetValidFor()
	if r.GetStart() == nil {
		return "", time.Time{}, fmt.Errorf("log %s: expected a time since when its key counts, got none", u.Hostname())
	}
	return u.Hostname(), r.GetStart().AsTime(), nil
}

func readAuthorities(all []*trustpb.CertificateAuthority) ([]TrustedAuthority, error) {
	var out []TrustedAuthority
	for _, m := range all {
		r := m.GetValidFor()
		if r.GetStart() == nil {
			return nil, fmt.Errorf("authority %q: expected a time since when it counts, got none", m.GetUri())
		}
		a := TrustedAuthority{URI: m.GetUri(), Since: r.GetStart().AsTime()}
		if r.GetEnd() != nil {
			a.Until = r.GetEnd().AsTime()
		}
		for _, c := range m.GetCertChain().GetCertificates() {
			a.Chain = append(a.Chain, bytes.Clone(c.GetRawBytes()))
		}
		out = append(out, a)
	}
	return out, nil
}

// since wants an origin that a URL's host can be, for that is where verifiers take it from,
// and a beginning, without which they refuse the whole root.
func since(origin string, at time.Time) error {
	u, err := url.Parse("https://" + origin)
	if err != nil || u.Hostname() != origin || origin == "" {
		return fmt.Errorf("trusted root: expected a host name as a log's origin, got %q", origin)
	}
	if at.IsZero() {
		return fmt.Errorf("trusted root: log %s: expected a time since when its key counts, got none", origin)
	}
	return nil
}

// find is the log that a checkpoint or bundle names.
func (t Trust) find(origin string, id []byte) (*ledger.LogKey, error) {
	for _, l := range t.Logs {
		key, err := l.Key()
		if err != nil {
			return nil, err
		}
		if l.Origin == origin && bytes.Equal(key.ID(), id) {
			return key, nil
		}
	}
	return nil, fmt.Errorf("log %s with id %x: the trusted root does not list it", origin, id)
}

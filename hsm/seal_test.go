package hsm_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/hsm"
	"github.com/countersign/countersign/hsm/hsmtest"
)

var (
	_ hsmtest.Sealer = (*hsm.Signer)(nil)
	_ hsmtest.Sealer = (*hsmtest.FakeAuthority)(nil)
)

func TestSealerOnSoftHSM(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	pins := append(tok.PinAuthority(t), tok.Pin(t, "acme-release", 1))
	hsmtest.TestSealer(t, func(t *testing.T) hsmtest.Sealer {
		return hsmtest.Start(t, hsmtest.Config(t, tok, pins...))
	})
}

func TestFakeSealer(t *testing.T) {
	t.Parallel()
	hsmtest.TestSealer(t, func(*testing.T) hsmtest.Sealer { return hsmtest.NewFakeAuthority() })
}

// The gate's own keys sign no release, whatever a grant names, and release keys nothing else.
func TestKeysHaveOnePurpose(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	s := hsmtest.Start(t, hsmtest.Config(t, tok, append(tok.PinAuthority(t), tok.Pin(t, "acme-release", 1))...))
	if keys := s.Keys(); len(keys) != 1 || keys[0].Lineage != "acme-release" {
		t.Fatalf("release keys %+v", keys)
	}
	for _, k := range s.AuthorityKeys() {
		sigs, err := s.Sign(t.Context(), gatetest.Orders(t, gatetest.Grant(t, gatetest.Manifest(1), k.KeyVersion)))
		if sigs != nil || gate.CodeOf(err) != gate.CodeOrderRefused || gate.KindOf(err) != gate.Refused {
			t.Errorf("%s for a release: %d signatures, %v", k.Purpose, len(sigs), err)
		}
	}
	for _, p := range append(gate.AuthorityPurposes(), gate.PurposeRelease, "") {
		key := gate.AuthorityKey{Purpose: p, KeyVersion: s.Keys()[0]}
		sig, err := s.Seal(t.Context(), key, []byte("x"))
		if sig != nil || gate.CodeOf(err) != gate.CodeOrderRefused {
			t.Errorf("a release key as %q: %x, %v", p, sig, err)
		}
		if sig, err = s.SealDigest(t.Context(), key, gate.SHA256(nil)); sig != nil || gate.CodeOf(err) != gate.CodeOrderRefused {
			t.Errorf("a release key as %q, a digest: %x, %v", p, sig, err)
		}
	}
	sign(t, s, 3)
}

func TestALogKeyMayBeP256(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	s := hsmtest.Start(t, hsmtest.Config(t, tok, tok.PinPurpose(t, gate.PurposeLog, hsm.P256)))
	key, message := s.AuthorityKeys()[0], make([]byte, 64<<10)
	if sig, err := s.Seal(t.Context(), key, message); err != nil || !hsmtest.Sealed(t, key, message, sig) {
		t.Error(err)
	}
	if sig, err := s.SealDigest(t.Context(), key, gate.SHA256(nil)); sig != nil || gate.CodeOf(err) != gate.CodeOrderRefused {
		t.Errorf("a digest: %x, %v", sig, err)
	}
}

// faultyLog is a token behind the fault module, with an Ed25519 key of the log: the one
// key's self-test is the first C_Sign of a process.
func faultyLog(t *testing.T) (*hsmtest.Fault, hsm.Config) {
	t.Helper()
	tok := hsmtest.NewToken(t)
	f := hsmtest.NewFault(t, tok)
	return f, f.Wrap(hsmtest.Config(t, tok, tok.PinPurpose(t, gate.PurposeLog, hsm.Ed25519)))
}

func seal(t *testing.T, s *hsm.Signer) error {
	t.Helper()
	key, message := s.AuthorityKeys()[0], []byte("message\n")
	sig, err := s.Seal(t.Context(), key, message)
	if (err == nil) != (sig != nil) || err == nil && !hsmtest.Sealed(t, key, message, sig) {
		t.Errorf("%x, %v", sig, err)
	}
	return err
}

func TestSealSurvivesTheModule(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		rule string
		kind gate.Kind
		code gate.Code
	}{
		"device error":            {"C_Sign 2 1 ckr 0x30", gate.Unavailable, gate.CodeKeyUnavailable},
		"hang":                    {"C_Sign 2 1 hang", gate.Unavailable, gate.CodeKeyUnavailable},
		"crash":                   {"C_Sign 2 1 crash", gate.Unavailable, gate.CodeKeyUnavailable},
		"all sessions are closed": {"C_SignInit 2 1 closeall", gate.Unavailable, gate.CodeKeyUnavailable},
		"signs something else":    {"C_Sign 2 1 flip", gate.Internal, gate.CodeSignatureBad},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, c := faultyLog(t)
			c.Limit = 2 * time.Second
			s := hsmtest.Start(t, c)
			f.Set(t, row.rule)
			if err := seal(t, s); gate.KindOf(err) != row.kind || gate.CodeOf(err) != row.code {
				t.Errorf("%v, expected %s", err, row.code)
			}
			f.Set(t)
			if err := seal(t, s); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// The module's own words are the operator's.
func TestSealSaysNothingOfTheHost(t *testing.T) {
	t.Parallel()
	f, c := faultyLog(t)
	s := hsmtest.Start(t, c)
	f.Set(t, "C_Sign 2 1 ckr 0x30")
	var e *gate.Error
	if err := seal(t, s); !asError(err, &e) || strings.Contains(e.Text+e.Fix, "CKR_") {
		t.Error(err)
	}
}

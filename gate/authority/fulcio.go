package authority

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/url"

	"github.com/countersign/countersign/gate"
)

// Certificate extensions below Fulcio's arc, 1.3.6.1.4.1.57264.1 (sigstore/fulcio,
// docs/oid-info.md). The runner environment (.11) is left out: the gate signs, not a runner.
const (
	extIssuer       = 1  // raw bytes
	extIssuerV2     = 8  // from here on DER UTF8Strings
	extSigner       = 9  // what signed: here, the file that says what may be
	extRepository   = 12 // URI
	extRepositoryID = 15
	extOwner        = 16 // URI
	extOwnerID      = 17
	extConfig       = 18 // URI
)

// fulcioExtensions say whom a release key's certificate names.
func fulcioExtensions(id gate.Identity) ([]pkix.Extension, error) {
	out := []pkix.Extension{{Id: fulcioOID(extIssuer), Value: []byte(id.Issuer)}}
	for _, e := range []struct {
		number int
		value  string
	}{
		{extIssuerV2, id.Issuer}, {extSigner, id.PolicyURI}, {extRepository, id.Repository}, {extRepositoryID, id.RepositoryID},
		{extOwner, id.Owner}, {extOwnerID, id.OwnerID}, {extConfig, id.PolicyURI},
	} {
		der, err := asn1.MarshalWithParams(e.value, "utf8")
		if err != nil {
			return nil, fmt.Errorf("certificate extension %d: %w", e.number, err)
		}
		out = append(out, pkix.Extension{Id: fulcioOID(e.number), Value: der})
	}
	return out, nil
}

func fulcioOID(number int) asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, number}
}

// checkIdentity wants all of it: a verifier's rule about something that a certificate leaves
// out would be about nothing.
func checkIdentity(id gate.Identity) (san *url.URL, err error) {
	for name, uri := range map[string]string{"issuer": id.Issuer, "policy": id.PolicyURI, "repository": id.Repository, "owner": id.Owner} {
		if u, err := url.Parse(uri); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return nil, fmt.Errorf("identity: %s: expected a URL, got %q", name, uri)
		}
	}
	if id.RepositoryID == "" || id.OwnerID == "" {
		return nil, errors.New("identity: expected the forge's numbers of repository and owner, got none")
	}
	san, err = url.Parse(id.PolicyURI)
	if err != nil {
		return nil, fmt.Errorf("identity: policy: %w", err)
	}
	if san.String() != id.PolicyURI {
		return nil, fmt.Errorf("identity: policy: expected a URL in its plain form %q, got %q", san, id.PolicyURI)
	}
	return san, nil
}

package verify

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
)

// Identity is whom a certificate names (Fulcio's extensions 1.3.6.1.4.1.57264.1.N): the
// policy under which a gate signs a repository's releases, never a workflow.
type Identity struct {
	Issuer       string `json:"issuer"`        // .8: the gate's public URL
	PolicyURI    string `json:"policy_uri"`    // .9, which the subject alternative name repeats
	Repository   string `json:"repository"`    // .12: https://forge/owner/name
	RepositoryID string `json:"repository_id"` // .15: the forge's number
}

// Numbers of extensions.
const (
	extIssuer       = 8
	extPolicy       = 9
	extRepository   = 12
	extRepositoryID = 15
)

// identityOf reads a certificate's identity. Its one subject alternative name has to be the
// URI of the policy.
func identityOf(leaf *x509.Certificate) (Identity, error) {
	var id Identity
	fields := map[int]*string{extIssuer: &id.Issuer, extPolicy: &id.PolicyURI, extRepository: &id.Repository, extRepositoryID: &id.RepositoryID}
	for _, e := range leaf.Extensions {
		n := len(oidFulcio)
		if len(e.Id) != n+1 || !e.Id[:n].Equal(oidFulcio) || fields[e.Id[n]] == nil {
			continue
		}
		rest, err := asn1.UnmarshalWithParams(e.Value, fields[e.Id[n]], "utf8")
		if err != nil || len(rest) > 0 {
			return Identity{}, fmt.Errorf("extension %s: expected a UTF8String", e.Id)
		}
	}
	names := len(leaf.URIs) + len(leaf.DNSNames) + len(leaf.EmailAddresses) + len(leaf.IPAddresses)
	switch {
	case id.Issuer == "" || id.PolicyURI == "" || id.Repository == "":
		return Identity{}, errors.New("expected extensions that name the gate, the policy and the repository")
	case names != 1 || len(leaf.URIs) != 1 || leaf.URIs[0].String() != id.PolicyURI:
		return Identity{}, fmt.Errorf("expected one subject alternative name, the policy's URI %s", id.PolicyURI)
	}
	return id, nil
}

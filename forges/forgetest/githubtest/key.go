package githubtest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// get returns the key, made at the first call.
func (l *lazyKey) get() *rsa.PrivateKey {
	l.once.Do(func() {
		if l.key != nil {
			return
		}
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(fmt.Sprintf("make an RSA key for the GitHub double: %v", err))
		}
		l.key = key
	})
	return l.key
}

// AppID is the App's number.
func (s *Server) AppID() int64 { return appID }

// AppSlug is the App's name in URLs; its bot account is slug + "[bot]".
func (s *Server) AppSlug() string { return appSlug }

// ClientID is the App's OAuth client.
func (s *Server) ClientID() string { return appClientID }

// ClientSecret is the client's secret.
func (s *Server) ClientSecret() string { return appClientSecret }

// AppPrivateKey is the App's private key as GitHub gives it for download: PKCS #1, PEM.
func (s *Server) AppPrivateKey() []byte {
	return pem.EncodeToMemory(&pem.Block{
		Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(s.keys.app.get()),
	})
}

// SigningKey is the private key behind the issuer's JWKS: for forging tokens in attacks.
func (s *Server) SigningKey() (kid string, key *rsa.PrivateKey) { return oidcKeyID, s.keys.oidc.get() }

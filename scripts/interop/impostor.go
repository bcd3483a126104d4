package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
)

// freshKey is the SubjectPublicKeyInfo of a P-256 key that nobody holds.
func freshKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKIXPublicKey(&key.PublicKey)
}

// impostor is a certificate of the same name as a CA's, over a key that nobody holds.
func impostor(ca []byte) ([]byte, error) {
	cert, err := x509.ParseCertificate(ca)
	if err != nil {
		return nil, fmt.Errorf("CA of the trusted root: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	issuer := *cert
	issuer.PublicKey = &key.PublicKey
	return x509.CreateCertificate(rand.Reader, cert, &issuer, &key.PublicKey, key)
}

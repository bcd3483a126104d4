// Package sums signs and verifies a release's SHA256SUMS in the forms that people already
// have tools for: OpenPGP (gpg, sq), SSHSIG (ssh-keygen -Y verify) and raw (openssl dgst).
//
// It holds no key. [Parts] says what a key has to sign, [Files] makes files of what it
// signed; both make the same bytes each time. [VerifySSH] reads the SSHSIGs that people make
// with keys of their own.
package sums

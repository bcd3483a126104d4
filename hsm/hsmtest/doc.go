// Package hsmtest gives tests, and the demonstration, tokens of their own: fresh
// SoftHSM tokens, a module that misbehaves on demand, an in-memory signer, and the
// suite that it passes as the real one does.
package hsmtest

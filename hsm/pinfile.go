package hsm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

const maxPIN = 256 // bytes; PKCS#11 names no limit, tokens allow far less

// readPIN reads the PIN of a token from a file that nobody but its owner can read. One
// line end after the PIN is no part of it.
func readPIN(token, path string) (string, error) {
	fault := func(problem, fix string, err error) (string, error) {
		return "", pinFault(fmt.Sprintf("PIN file %s of token %q %s", path, token, problem), fix, err)
	}
	if path == "" {
		return "", pinFault(fmt.Sprintf("token %q has no PIN file", token), "set pin_file to a file that holds the PIN", nil)
	}
	write := "write the PIN into it and chmod 0600 " + path
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fault("does not exist", write, nil)
	}
	if err != nil {
		return fault("cannot be read", "let the server's account read it", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return fault("cannot be read", "let the server's account read it", err)
	}
	if !info.Mode().IsRegular() {
		return fault("is no regular file", write, nil)
	}
	if mode := info.Mode().Perm(); mode&^0o600 != 0 {
		return fault(fmt.Sprintf("has mode %04o, expected 0600 or less", mode), "chmod 0600 "+path, nil)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxPIN+3))
	if err != nil {
		return fault("cannot be read", "let the server's account read it", err)
	}
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	if len(b) == 0 {
		return fault("is empty", write, nil)
	}
	if len(b) > maxPIN {
		return fault(fmt.Sprintf("is longer than %d bytes", maxPIN), "it holds the PIN and nothing else", nil)
	}
	return string(b), nil
}

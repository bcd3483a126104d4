package voice

import (
	"strings"
	"unicode"
)

// Verifying is how somebody verifies one file with stock tools: command lines for a POSIX
// shell, in which every name is quoted where it has to be.
type Verifying struct {
	Fetch       string // gets the public key and the trusted root; "" where there is no address to get them from
	Cosign      string // with FILE.sigstore.json beside the file
	OpenSSL     string // with FILE.sig beside the file
	Countersign string // with this product's own client
}

// Verify says how to verify a file under the keys of a lineage that the server lists.
func Verify(server, lineage, file string) Verifying {
	pem := lineage + ".pem"
	if strings.Trim(lineage, lineageCharacters) != "" || lineage == "" { // it goes into an address
		pem = "KEY.pem"
	}
	v := VerifyWith(pem, file)
	gate := strings.TrimSuffix(server, "/")
	v.Fetch = "curl -fsSO " + gate + "/v1/keys/" + pem + " -O " + gate + "/v1/" + trustedRoot
	return v
}

// VerifyWith says how to verify a file under a public key and a trusted root that are there
// already.
func VerifyWith(key, file string) Verifying {
	k, f := shellWord(key), shellWord(file)
	return Verifying{
		Cosign:      "cosign verify-blob --key " + k + " --trusted-root " + trustedRoot + " --bundle " + shellWord(file+".sigstore.json") + " " + f,
		OpenSSL:     "openssl dgst -sha256 -verify " + k + " -signature " + shellWord(file+".sig") + " " + f,
		Countersign: "countersign verify --trusted-root " + trustedRoot + " --key " + k + " " + f,
	}
}

const (
	trustedRoot       = "trusted_root.json"
	lineageCharacters = "abcdefghijklmnopqrstuvwxyz0123456789.-"
	shellCharacters   = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/+-"
)

// shellWord quotes a name for a POSIX shell, on one line of visible characters. A name
// that could be read as an option is a path.
func shellWord(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) || unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if strings.HasPrefix(s, "-") {
		s = "./" + s
	}
	if s != "" && strings.Trim(s, shellCharacters) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

package authority

import (
	"crypto/x509"
	"time"

	"github.com/countersign/countersign/gate"
)

// CheckToken is what an answer from outside goes through, without asking for one.
func CheckToken(response []byte, imprint gate.Digest, now time.Time, chain []*x509.Certificate) error {
	return checkToken(response, asked{imprint: imprint, now: now}, [][]*x509.Certificate{chain})
}

package verify

import "encoding/asn1"

// Object identifiers.
var ( //nolint:gochecknoglobals // constants that Go cannot spell as such
	oidTSTInfo          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4} // RFC 3161, 2.4.2
	oidExtendedKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidSCTs             = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2} // RFC 6962, 3.3
	oidFulcio           = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1}       // and a number
)

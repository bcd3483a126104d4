package gate

import (
	"errors"
	"fmt"
)

// Kind is what the caller can do about an error. The edge maps it to a status.
type Kind int

// The zero value is Internal, so that an error nobody classified says nothing.
const (
	Internal     Kind = iota // a fault of ours: 500
	Invalid                  // the input is malformed: 400 (or 413 for size)
	Unidentified             // the identity does not hold: 401
	Refused                  // understood and refused: 403
	NotFound                 // 404
	Conflict                 // the state does not allow it: 409
	Unavailable              // could not look; try again later: 503
)

// Code is a stable number printed as CS-nnnn. Codes are never reused.
type Code int

// 10xx identity, 11xx what is asked, 12xx repository and policy, 13xx requests,
// 14xx deliveries, 15xx keys and signing, 16xx forges, 19xx ours.
const (
	CodeTokenMissing      Code = 1001 // no ID token came
	CodeTokenMalformed    Code = 1002 // not a JWS in compact form, or its claims do not decode
	CodeIssuerUnknown     Code = 1003 // the issuer is not on the allowlist
	CodeTokenSignature    Code = 1004 // algorithm, key or signature do not hold
	CodeAudience          Code = 1005 // made for another service or another ask
	CodeTokenExpired      Code = 1006 // expired, not yet valid, too old, or valid for too long
	CodeTokenClaims       Code = 1007 // not the ID token of a CI job: a claim is missing or contradicts
	CodeTokenRebound      Code = 1008 // used before, for another request
	CodeIssuerUnavailable Code = 1009 // the issuer's keys cannot be read now
	CodeBodyTooLarge      Code = 1101
	CodeBodyMalformed     Code = 1102 // not JSON, unknown field, trailing bytes
	CodeSubjects          Code = 1103 // a subject's name or digest, or the list, breaks the manifest's rules
	CodeAskMismatch       Code = 1104 // the ask contradicts the ID token (repository, ref, commit)
	CodeServerName        Code = 1105 // the ask names another server
	CodeRepositoryUnknown Code = 1201 // no forge credential reaches it, or no policy of it is adopted
	CodePolicyMissing     Code = 1202 // the repository holds no policy file
	CodePolicyInvalid     Code = 1203 // the policy file does not parse
	CodePolicyUnreadable  Code = 1204 // the forge did not let it be read
	CodeStreamUnknown     Code = 1205 // no stream, or more than one, fits the ask
	CodePolicyNotAdopted  Code = 1206 // no version of the policy is adopted yet
	CodeRequestUnknown    Code = 1301 // no such request, or none the caller may see
	CodeNotSigned         Code = 1302 // collect before the end
	CodeEnded             Code = 1303 // the request ended without signatures
	CodeTransition        Code = 1304 // the state does not allow it
	CodeNotPermitted      Code = 1305 // the caller's ID token does not speak for this request
	CodeRequestsFull      Code = 1306 // the repository has as many open requests as it may
	CodeNotEligible       Code = 1307 // the person may not say this about the request
	CodePageStale         Code = 1308 // the page showed something else than what is there now
	CodeSignIn            Code = 1309 // the sign-in was not finished, or was finished before
	CodeSignedOut         Code = 1310 // nobody is signed in, or no longer
	CodeCrossSite         Code = 1311 // another site's page sent it
	CodeStreams           Code = 1312 // as many pages are followed live as may
	CodeDeliveryUnsigned  Code = 1401
	CodeDeliverySignature Code = 1402
	CodeDeliveryTooLarge  Code = 1403
	CodeDeliveryMalformed Code = 1404
	CodeForgeUnknown      Code = 1405 // no forge of that name is configured
	CodeDeliveriesFull    Code = 1406 // as many deliveries of one tenant wait as may
	CodeKeyUnknown        Code = 1501 // no such lineage
	CodeKeyUnbound        Code = 1502 // the lineage is bound to no such repository
	CodeKeyUnavailable    Code = 1503 // the HSM does not answer; try again
	CodeKeyMismatch       Code = 1504 // token and configuration disagree about a key
	CodePIN               Code = 1505 // wrong or missing PIN
	CodeSignatureBad      Code = 1506 // the HSM returned a signature that does not verify
	CodeOrderRefused      Code = 1507 // the order breaks a rule of the worker
	CodeLedgerBehind      Code = 1510 // the database is behind the last published checkpoint
	CodeSealing           Code = 1511 // signed, and its evidence is not complete yet
	CodeWitnesses         Code = 1512 // too few witnesses cosigned the ledger
	CodeTimestamp         Code = 1513 // the time-stamping authority does not answer as it should
	CodeLogRange          Code = 1514 // the ledger has published no such entry, tile or checkpoint
	CodeEpoch             Code = 1515 // what should begin a new epoch does not hold
	CodeForgeUnavailable  Code = 1601 // the forge did not answer, or answered in part
	CodeForgeRefused      Code = 1602 // the forge refuses our credential
	CodeForgeUnexpected   Code = 1603 // the forge answered what its description does not say
	CodeEvidencePlace     Code = 1604 // the forge has no place for a release's evidence, or none that it may be put in
	CodeCommentUnreadable Code = 1701
	CodeConfig            Code = 1801
	CodeInternal          Code = 1901
	CodeStoreUnavailable  Code = 1902
)

// String is the form in which codes are shown and documented.
func (c Code) String() string { return fmt.Sprintf("CS-%04d", int(c)) }

// Error is the one error type that crosses rooms. Text, Expected, Got and Fix are
// shown to whoever asked, so they hold no secret and nothing of another
// tenant. Err is for the log.
type Error struct {
	Kind     Kind
	Code     Code
	Text     string // one sentence: what is wrong
	Expected string
	Got      string
	Fix      string // what to do next
	// Claims are the pinned claims of the ID token, where one was refused after its
	// signature had been verified; or those of them that the refusal is about, where the
	// edge is to add the others.
	Claims []ClaimCheck
	Err    error
}

// Error is the whole chain, for the log.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s: %s", e.Code, e.Text)
	if e.Got != "" {
		s += fmt.Sprintf(" (expected %s, got %s)", e.Expected, e.Got)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf classifies err; what is no [Error] is Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// CodeOf is err's code; what is no [Error] is CodeInternal.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

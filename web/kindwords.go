package web

import "github.com/countersign/countersign/gate/ledger"

// kindWord says in a few words what an entry of a kind stands for.
func kindWord(kind string) string {
	words := map[ledger.Kind]string{
		ledger.RequestOpened: "a release was asked for", ledger.RequestJoined: "another job joined the request",
		ledger.Approval: "somebody approved or denied", ledger.Hold: "somebody held it", ledger.Unhold: "a hold was lifted",
		ledger.Withdrawal: "an approval was taken back", ledger.Decision: "the gate decided",
		ledger.Intents: "signing began", ledger.Signature: "a signature, by its key",
		ledger.CertificateSignature: "a signature, by its certificate", ledger.VerdictSignature: "a refusal was signed",
		ledger.Orphaned: "a signature may have been made", ledger.LateSignatureDiscarded: "signatures came too late and were discarded",
		ledger.Failed: "signing failed", ledger.PolicyAdopted: "a policy was put in force", ledger.Published: "the release was published",
		ledger.Administrators: "who administers this server", ledger.ServerMode: "whether this server signs",
		ledger.EpochBegun: "an epoch of the ledger began", ledger.CertificateIssued: "a certificate was issued",
		ledger.TrustedRoot: "what verifiers are to trust",
	}
	if w, ok := words[ledger.Kind(kind)]; ok {
		return w
	}
	return kind
}

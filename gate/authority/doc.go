// Package authority makes the evidence around a release's signatures: certificates over
// release keys, time-stamps, checkpoints of the ledger, and the verdicts on what was denied.
// It decides nothing, holds no private key and signs nothing of a release itself.
//
// The certificate authority, the log of certificate timestamps and, where none from outside
// is configured, the time-stamping authority are the gate's own. They add what stock
// verifiers ask for; they do not add an independent party, and the trusted root says so in
// the time-stamping certificate's name.
package authority

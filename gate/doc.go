// Package gate is the judgement of a release gate: its vocabulary, the case it
// judges, and [Decide], the pure function that judges it.
//
// A workload (a CI job) asks for signatures over the digests of what it built.
// Everything that is read from the forge about that ask is one immutable
// [Evidence]; together with the policy in force and the approvals it is a
// [Case]. [Decide] turns a case into a [Decision]; a granted decision yields,
// once, a [Grant], and only a grant yields an [Order] for the signer.
//
// The package imports nothing but the standard library, does no I/O and reads no
// clock.
package gate

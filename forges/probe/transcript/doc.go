// Package transcript records what a forge was asked and answered, without telling
// anybody's secrets or names, and answers from such a record again.
//
// What is kept is listed; all else is left out or replaced. Numbers, times, commit
// hashes and the forge's own words stay, because the gate's judgement rests on them.
// Every other text becomes a stand-in ("user-3", "name-7", "text-12"), the same one
// wherever the same text stood, so that a record still fits together: a login in a
// path is the login of an answer before. Nothing is written before all of it is redacted.
package transcript

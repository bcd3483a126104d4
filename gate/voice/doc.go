// Package voice is the one source of the words that people read at the forge: the
// sticky comment, the commit status, the check run, the release issue, the answer to
// an approval that does not count.
//
// Everything that came from outside (titles, names, reasons, tags) is escaped: it
// cannot mention anybody, open HTML, start a forge's own command, or leave its line.
// The only people mentioned are those who can approve, in the line that says so.
package voice

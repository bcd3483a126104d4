// Package attacks holds the attack catalogue of docs/security.md as tests: each row
// plays one attack on one gate in process, through its real HTTP surface and the
// real adapters over the doubles of both forges, and says what has to come of it.
//
// A test's name holds "attack N" for each row of the catalogue that it plays;
// the program in table counts on it.
package attacks

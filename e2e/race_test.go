//go:build race

package e2e_test

// raced: the daemon under test is built with the race detector, as the test itself is.
const raced = true

//go:build !race

package github_test

// replayEvery is which part of the mutations below the first level is replayed: all.
const replayEvery = 1

//go:build race

package github_test

// replayEvery is which part of the mutations below the first level is replayed: the race
// detector makes one ten times as slow, and nothing in it runs at the same time. All of
// them are replayed without it.
const replayEvery = 7

//go:build !linux

package main

// forgetful is not known here.
func forgetful(string) bool { return false }

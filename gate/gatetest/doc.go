// Package gatetest makes complete cases, grants and orders for the tests of other
// packages, so that each of them can start from one release that is granted and
// change only what its test is about.
package gatetest

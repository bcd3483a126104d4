// Package probe asks a real forge, on a repository that is there for nothing else, whether
// what the gate takes for granted about it holds. Much of that could only be read in
// descriptions and in source: each such fact is a row here, with where the gate uses it
// and what follows where it does not hold.
//
// It reads with the gate's own adapters and, beside them, with calls of its own that look
// at what the adapters do not tell. It writes only when it is told to. What needs a
// running CI job is told by claims that a job printed; what needs people or time is
// listed, with how to find out.
package probe

package policy

// Floor is what an operator asks of every policy of a repository: it only tightens.
type Floor struct{}

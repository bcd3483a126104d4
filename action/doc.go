// Package action is the GitHub Action: the folders request, collect and sign hold one
// composite action each, and countersign.sh beside them is what all of them run.
package action

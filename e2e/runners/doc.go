// Package runners plays the CI side with the CI's own logic: nektos/act runs the GitHub
// Action and gitlab-ci-local runs the GitLab component, as the manual shows them, against
// the real daemon and the forges' doubles. The manual's recipes run here too.
package runners

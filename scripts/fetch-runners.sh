#!/usr/bin/env bash
# Builds or installs the CI runners that tests run workflows with, and what the manual's
# recipes use, into the user's cache: nektos/act for GitHub Actions, gitlab-ci-local for
# GitLab CI, oras, goreleaser, cosign. Safe to run again: does nothing where they are there.
set -euo pipefail

act=v0.2.89
gitlab=4.65.0
oras=v1.3.2
goreleaser=v2.16.0
cache="${XDG_CACHE_HOME:-$HOME/.cache}/countersign/tools"

# build NAME VERSION PACKAGE
build() {
  local folder=$cache/$1-$2
  [ ! -x "$folder/$1" ] || return 0
  echo "fetch-runners: building $1 $2 (once; takes a few minutes)"
  mkdir -p "$folder"
  CGO_ENABLED=0 GOFLAGS="" GOBIN="$folder" go install "$3@$2"
}
build act "$act" github.com/nektos/act
build oras "$oras" oras.land/oras/cmd/oras
build goreleaser "$goreleaser" github.com/goreleaser/goreleaser/v2

"$(dirname "$0")/fetch-verifiers.sh" cosign

folder=$cache/gitlab-ci-local-$gitlab
if [ ! -x "$folder/node_modules/.bin/gitlab-ci-local" ]; then
  command -v npm >/dev/null || {
    echo "fetch-runners: npm is needed to install gitlab-ci-local@$gitlab; install Node.js 20 or newer" >&2
    exit 1
  }
  mkdir -p "$folder"
  npm install --silent --no-fund --no-audit --ignore-scripts --prefix "$folder" "gitlab-ci-local@$gitlab"
fi

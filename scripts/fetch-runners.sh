#!/usr/bin/env bash
# Builds or installs the CI runners that tests run workflows with, into the user's cache:
# nektos/act for GitHub Actions, gitlab-ci-local for GitLab CI. Safe to run again: does
# nothing where they are there.
set -euo pipefail

act=v0.2.89
gitlab=4.65.0
cache="${XDG_CACHE_HOME:-$HOME/.cache}/countersign/tools"

folder=$cache/act-$act
if [ ! -x "$folder/act" ]; then
  echo "fetch-runners: building act $act (once; takes a few minutes)"
  mkdir -p "$folder"
  CGO_ENABLED=0 GOFLAGS= GOBIN="$folder" go install "github.com/nektos/act@$act"
fi

folder=$cache/gitlab-ci-local-$gitlab
if [ ! -x "$folder/node_modules/.bin/gitlab-ci-local" ]; then
  command -v npm >/dev/null || {
    echo "fetch-runners: npm is needed to install gitlab-ci-local@$gitlab; install Node.js 20 or newer" >&2
    exit 1
  }
  mkdir -p "$folder"
  npm install --silent --no-fund --no-audit --ignore-scripts --prefix "$folder" "gitlab-ci-local@$gitlab"
fi

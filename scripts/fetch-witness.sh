#!/usr/bin/env bash
# Builds litewitness (filippo.io/torchwood), a C2SP witness of other people's making that tests
# have the ledger cosigned by, into the user's cache. Safe to run again: does nothing where it
# is there.
set -euo pipefail

version=v0.9.0
folder="${XDG_CACHE_HOME:-$HOME/.cache}/countersign/tools/litewitness-$version"
if [ ! -x "$folder/litewitness" ]; then
  echo "fetch-witness: building litewitness $version (once)"
  mkdir -p "$folder"
  CGO_ENABLED=0 GOFLAGS="" GOBIN="$folder" go install "filippo.io/torchwood/cmd/litewitness@$version"
fi

#!/usr/bin/env bash
# Builds or installs the verifiers that `make interop` holds bundles against, each once
# and by version, into the user's cache: cosign, gh, slsa-verifier, sigstore-go's example,
# npm's sigstore and @sigstore/verify. With names as arguments, those alone. Safe to run
# again: does nothing where they are there. --npm-folder tells where the last ones are.
#
# Go checks what it builds against its checksum database, and each module pins its own
# dependencies in its go.sum; npm checks against scripts/interop/npm/package-lock.json.
set -euo pipefail
cd "$(dirname "$0")/.."

cosign=v3.1.3
gh=v2.95.0
slsa=v2.7.1
sigstorego=v1.3.0
npm=5.0.1
cache="${XDG_CACHE_HOME:-$HOME/.cache}/countersign/tools"

say() { printf 'fetch-verifiers: %s\n' "$*" >&2; }

die() {
  say "$*"
  exit 1
}

# build NAME VERSION MODULE PACKAGE [LDFLAGS]: builds in the module's own folder, because
# `go install` refuses modules that replace others.
build() {
  local folder=$cache/$1-$2 dir
  [ ! -x "$folder/$1" ] || return 0
  say "building $1 $2 (once; takes a few minutes)"
  dir=$(GOFLAGS="" go mod download -json "$3@$2" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p') && [ -d "$dir" ] ||
    die "$3@$2 cannot be downloaded: look at the network, GOPROXY and GOSUMDB, then run this again"
  mkdir -p "$folder"
  (cd "$dir" && CGO_ENABLED=0 GOFLAGS=-mod=readonly nice go build -trimpath -ldflags "-s -w ${5:-}" -o "$folder/$1.$$" "$4") ||
    die "$1 $2 does not build with $(go version); Go 1.26 or newer is needed"
  mv "$folder/$1.$$" "$folder/$1"
}

fetch_cosign() {
  local have version='GitVersion:[[:space:]]*'$cosign'$'
  have=$(go env GOPATH)/bin/cosign
  if [ ! -e "$cache/cosign-$cosign/cosign" ] && [ -x "$have" ] && "$have" version 2>&1 | grep -q "$version"; then
    mkdir -p "$cache/cosign-$cosign"
    ln -s "$have" "$cache/cosign-$cosign/cosign"
  fi
  build cosign $cosign github.com/sigstore/cosign/v3 ./cmd/cosign \
    "-X sigs.k8s.io/release-utils/version.gitVersion=$cosign"
}

fetch_gh() {
  build gh $gh github.com/cli/cli/v2 ./cmd/gh "-X github.com/cli/cli/v2/internal/build.Version=${gh#v}"
}

fetch_slsa-verifier() {
  build slsa-verifier $slsa github.com/slsa-framework/slsa-verifier/v2 ./cli/slsa-verifier \
    "-X sigs.k8s.io/release-utils/version.gitVersion=$slsa"
}

# The library's example is a whole verifier, which the manual names.
fetch_sigstore-go() {
  build sigstore-go-verification $sigstorego github.com/sigstore/sigstore-go ./examples/sigstore-go-verification
}

# The folder is named by what is in it, and appears at once: others may be using another.
npm_folder() {
  printf '%s/sigstore-%s-%s\n' "$cache" "$npm" "$(sha256sum scripts/interop/npm/package-lock.json | cut -c1-12)"
}

fetch_npm() {
  local folder part
  folder=$(npm_folder)
  [ ! -d "$folder" ] || return 0
  command -v npm >/dev/null || die "npm is needed to install sigstore@$npm; install Node.js 20 or newer"
  say "installing npm's sigstore $npm (once)"
  mkdir -p "$cache"
  part=$(mktemp -d "$cache/sigstore.XXXXXX")
  cp scripts/interop/npm/package.json scripts/interop/npm/package-lock.json "$part/"
  npm ci --silent --no-fund --no-audit --ignore-scripts --prefix "$part" ||
    die "npm cannot install what scripts/interop/npm/package-lock.json names: look at the network and npm's registry"
  mv -T "$part" "$folder" 2>/dev/null || rm -rf "$part"
}

if [ "${1:-}" = --npm-folder ]; then
  npm_folder
  exit
fi
[ $# -gt 0 ] || set -- cosign gh slsa-verifier sigstore-go npm
for name in "$@"; do
  declare -F "fetch_$name" >/dev/null || die "expected cosign, gh, slsa-verifier, sigstore-go or npm, got $name"
  fetch_"$name"
done

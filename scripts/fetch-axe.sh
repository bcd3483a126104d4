#!/bin/sh
# Fetches axe-core (MPL 2.0; used by tests alone, never shipped), with which the pages are
# checked for accessibility, into the user's cache. Safe to run again: does nothing where
# the file is there.
set -eu

version=4.14.1
want=29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c
cache="${XDG_CACHE_HOME:-$HOME/.cache}/countersign/axe-$version"
file="$cache/axe.min.js"

sum() { if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi; }
check() { [ -f "$1" ] && [ "$(sum "$1" | cut -d' ' -f1)" = "$want" ]; }

if check "$file"; then
	exit 0
fi
command -v npm >/dev/null || {
	echo "fetch-axe: npm is needed to fetch axe-core@$version; install Node.js 20 or newer" >&2
	exit 1
}
mkdir -p "$cache"
work=$(mktemp -d "$cache/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent "axe-core@$version" >/dev/null)
tar -xzf "$work/axe-core-$version.tgz" -C "$work" package/axe.min.js
if ! check "$work/package/axe.min.js"; then
	echo "fetch-axe: axe.min.js of axe-core@$version has another checksum than expected ($want)" >&2
	exit 1
fi
mv "$work/package/axe.min.js" "$file"
echo "fetch-axe: $file"

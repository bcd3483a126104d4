#!/usr/bin/env bash
# Installs the Debian packages that the demo needs, or, with the word "tests", those that
# tests need too, or, with the word "verifiers", those that verify what the demo leaves,
# where it may; says what to install where it may not.
set -euo pipefail

declare -A needs=(
  [softhsm2-util]=softhsm2
  [openssl]=openssl
  [gcc]=gcc
  [git]=git
)
if [ "${1:-}" = tests ]; then
  needs+=(
    [curl]=curl
    [gpg]=gnupg
    [jq]=jq
    [sqv]=sqv
    [ssh-keygen]=openssh-client
    [jq]=jq
    [rsync]=rsync
    [chromium]=chromium
    [node]=nodejs
    [npm]=npm
  )
fi
if [ "${1:-}" = verifiers ]; then
  needs+=(
    [gpg]=gnupg
    [node]=nodejs
    [npm]=npm
    [ssh-keygen]=openssh-client
    [unshare]=util-linux
  )
fi
missing=()
for tool in "${!needs[@]}"; do
  command -v "$tool" >/dev/null || missing+=("${needs[$tool]}")
done
[ -e /usr/include/stdlib.h ] || missing+=(libc6-dev)
if [ "${1:-}" = tests ]; then
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
  compgen -G '/usr/share/fonts/truetype/*' >/dev/null || missing+=(fonts-dejavu-core)
fi
if ! command -v go >/dev/null; then
  echo "Go 1.26 or newer is needed, from https://go.dev/dl/" >&2
  exit 1
fi
[ ${#missing[@]} -eq 0 ] && exit 0

line="apt-get install -y --no-install-recommends ${missing[*]}"
if ! command -v apt-get >/dev/null; then
  echo "Install what Debian calls: ${missing[*]}" >&2
  exit 1
elif [ "$(id -u)" = 0 ]; then
  as_root=()
elif sudo -n true 2>/dev/null; then
  as_root=(sudo)
else
  echo "Install first: sudo $line" >&2
  exit 1
fi
echo "Installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
# The packages alone are wanted: no database server should start because of a test.
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive $line -qq >/dev/null

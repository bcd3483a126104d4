#!/usr/bin/env bash
# Runs the countersign client for the actions beside this file:
#
#   countersign.sh request|collect|sign
#
# Everything from outside comes in environment variables (IN_…), and nothing of it is ever
# evaluated. The client is the one on PATH; else that of the gate, whose SHA-256 has to be
# the one that the gate publishes and, where IN_CLIENT_SHA256 is given, that one.
# Runs with the bash of macOS (3.2) and of Git for Windows too.
set -euo pipefail

# fail TEXT [CODE]: an annotation, escaped as the Actions toolkit does.
fail() {
  printf '::error title=countersign::' >&2
  printf '%s\n' "$1" | awk '{ gsub(/%/, "%25"); gsub(/\r/, "%0D"); printf "%s%s", next_line, $0; next_line = "%0A" } END { print "" }' >&2
  exit "${2:-2}"
}

# platform sets $platform to OS-ARCH, as the gate names its clients.
platform() {
  case "${RUNNER_OS:-$(uname -s)}" in
    Linux) platform=linux ;;
    macOS | Darwin) platform=darwin ;;
    Windows* | MINGW* | MSYS* | CYGWIN*) platform=windows ;;
    *) fail "there is no client for the operating system ${RUNNER_OS:-$(uname -s)}: put one on PATH" ;;
  esac
  case "${RUNNER_ARCH:-$(uname -m)}" in
    X64 | x86_64 | amd64) platform=$platform-amd64 ;;
    ARM64 | aarch64 | arm64) platform=$platform-arm64 ;;
    *) fail "there is no client for the processor ${RUNNER_ARCH:-$(uname -m)}: put one on PATH" ;;
  esac
}

sha256() {
  if command -v sha256sum >/dev/null; then
    sha256sum <"$1" | cut -c1-64
  else
    shasum -a 256 <"$1" | cut -c1-64
  fi
}

# get URL FILE: no redirect is followed, as the client follows none.
get() {
  curl --fail --silent --show-error --proto '=http,https' --retry 3 --retry-connrefused --max-time 300 --output "$2" -- "$1" ||
    fail "the gate gave no $1: check server-url, ask its operator to serve clients, or put countersign on PATH" 75
}

# download puts the gate's client into a folder of this job and sets $client to its path.
download() {
  local server=${IN_SERVER_URL%/} temporary=${RUNNER_TEMP:-${TMPDIR:-/tmp}} folder file name want got
  case "$server" in
    *@*) fail "server-url does not fit: expected https://host, got a user in it" ;;
    https://?*) ;;
    http://127.0.0.1 | http://127.0.0.1:* | http://localhost | http://localhost:*) ;;
    *) fail "server-url does not fit: expected https://host, got '$server'" ;;
  esac
  platform
  name=$platform/countersign
  case "$platform" in
    windows-*)
      name=$name.exe
      temporary=$(cygpath -u "$temporary")
      ;;
  esac
  folder=$(mktemp -d "$temporary/countersign.XXXXXX")
  file=$folder/${name##*/}
  get "$server/client/SHA256SUMS" "$folder/SHA256SUMS"
  want=$(awk -v name="$name" '{ sub(/\r$/, "") } $2 == name || $2 == "*" name { print $1 }' "$folder/SHA256SUMS")
  [ -n "$want" ] || fail "the gate serves no client $name: ask its operator, or put countersign on PATH"
  get "$server/client/$name" "$file"
  got=$(sha256 "$file")
  [ "$got" = "$want" ] || fail "the client $name has SHA-256 $got, the gate's SHA256SUMS says $want: nothing was run" 1
  chmod +x "$file"
  client=$file
}

# pinned refuses any other client than the one that the workflow names.
pinned() {
  local want=${IN_CLIENT_SHA256#sha256:} got
  [ -n "$want" ] || return 0
  got=$(sha256 "$1")
  [ "$got" = "$want" ] || fail "the client $1 has SHA-256 $got, client-sha256 says $want: nothing was run" 1
}

command=$1
[ -n "${IN_SERVER_URL:-}" ] || fail "server-url is missing: give the action the URL of your gate"
IN_CLIENT_SHA256=${IN_CLIENT_SHA256:-}
client=$(command -v countersign || true)
[ -n "$client" ] || download
pinned "$client"
printf 'countersign: %s (%s)\n' "$("$client" --version)" "$client"

args=("$command" "--show-summary=${IN_SHOW_SUMMARY:-true}")
# add FLAG VALUE: empty inputs are left out.
add() {
  [ -z "$2" ] || args+=("$1=$2")
}
add --server "$IN_SERVER_URL"
add --mode "${IN_MODE:-}"
add --wait-timeout "${IN_WAIT_TIMEOUT:-}"
add --subject-path "${IN_SUBJECT_PATH:-}"
add --subject-name "${IN_SUBJECT_NAME:-}"
add --subject-digest "${IN_SUBJECT_DIGEST:-}"
add --subject-checksums "${IN_SUBJECT_CHECKSUMS:-}"
add --release "${IN_RELEASE:-}"
add --request-id "${IN_REQUEST_ID:-}"
add --output-directory "${IN_OUTPUT_DIRECTORY:-}"
add --key "${IN_KEY:-}"
exec "$client" "${args[@]}"

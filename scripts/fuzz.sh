#!/usr/bin/env bash
# Runs every fuzz target of the module for the time given, one after another.
set -euo pipefail
time=${1:-10s}
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# An input that reaches something new is kept as it is: making it small first took some
# targets all of their time.
fuzz() { go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 1x "$1" 2>&1 | tee "$out"; }

found=0
while IFS=: read -r file name; do
  dir=./$(dirname "$file")
  echo "fuzz $dir $name"
  # At the end of its time the fuzzer may report its own deadline as a failure:
  # without an input that fails, that is none, and it runs again.
  fuzz "$dir" "$name" || {
    grep -q 'context deadline exceeded' "$out" && ! grep -q 'Failing input written' "$out" && fuzz "$dir" "$name"
  }
  found=$((found + 1))
done < <(git grep -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | sed 's/func //')
echo "$found fuzz targets ran"
[ "$found" -gt 0 ]

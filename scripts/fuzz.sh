#!/usr/bin/env bash
# Runs every fuzz target of the module for the time given, one after another.
set -euo pipefail
time=${1:-10s}
found=0
while IFS=: read -r file name; do
  dir=./$(dirname "$file")
  echo "fuzz $dir $name"
  go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$dir"
  found=$((found + 1))
done < <(git grep -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | sed 's/func //')
echo "$found fuzz targets ran"
[ "$found" -gt 0 ]

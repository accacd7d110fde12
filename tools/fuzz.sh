#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME each, one after the other.
set -euo pipefail
grep -rl --include='*_test.go' '^func Fuzz' internal | while read -r file; do
  sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' "$file" | while read -r target; do
    echo "== ./$(dirname "$file") $target"
    go test "./$(dirname "$file")" -run '^$' -fuzz "^${target}\$" -fuzztime "${FUZZTIME:-20s}"
  done
done

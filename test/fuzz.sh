#!/usr/bin/env bash
# Runs every fuzz target of the module for the time given (default 30s).
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-30s}
status=0
while read -r package; do
  dir=$(go list -f '{{.Dir}}' "$package")
  for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null | cut -c6-); do
    printf '== %s %s\n' "$package" "$target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" || status=1
  done
done < <(go list ./...)
exit $status

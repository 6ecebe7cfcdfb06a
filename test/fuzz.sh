#!/usr/bin/env bash
# Runs every fuzz target of the module for a time or a number of inputs
# (default 30s; 3000x is 3000 inputs). With FUZZ=quick it leaves out packages
# that link go-netbox, which takes minutes to instrument, and says which.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-30s}
status=0
while read -r package; do
  dir=$(go list -f '{{.Dir}}' "$package")
  targets=$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null | cut -c6- || true)
  [[ -n $targets ]] || continue
  if [[ ${FUZZ:-} == quick ]] && go list -test -deps "$package" | grep -q '^github.com/netbox-community/go-netbox/'; then
    printf '== %s left out (FUZZ=quick); make test runs its corpus\n' "$package"
    continue
  fi
  for target in $targets; do
    printf '== %s %s\n' "$package" "$target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10x "$package" || status=1
  done
done < <(go list ./...)
if [[ ${FUZZ:-} != quick ]]; then
  seed=$RANDOM$RANDOM
  printf '== sync/decide: other stories than in make test, -rapid.seed=%s\n' "$seed"
  go test -count=1 -timeout 30m -run EveryRun ./sync/decide -rapid.seed="$seed" -rapid.checks=1000 || status=1
fi
exit $status

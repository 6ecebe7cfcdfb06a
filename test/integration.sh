#!/usr/bin/env bash
# make integration: installs what it needs (Debian, root), starts a real
# NetBox, and runs every suite against real things. A missing part fails.
set -euo pipefail
cd "$(dirname "$0")/.."

start=$SECONDS
say() { printf '\n-- %s (%d s)\n' "$1" $((SECONDS - start)); }

if [[ $(id -u) -ne 0 ]]; then
  echo 'make integration needs root: it makes network namespaces and installs packages' >&2
  exit 64
fi

say 'packages'
bash test/netns/install.sh
say 'NetBox'
netbox=test/netboxreal/netbox.sh
bash "$netbox" install
trap 'bash "$netbox" stop' EXIT
bash "$netbox" start
eval "$(bash "$netbox" env)"

say 'suites'
export INTEGRATION=1 REQUIRE_INTEGRATION=1
go build -o bin/ ./cmd/...
go test -count=1 -timeout 30m ${GOTESTFLAGS:-} -p 1 \
  ./standins/netboxtest ./standins/sshtest ./internal/netbox/... ./internal/follow ./internal/writeback ./sync/netboxio ./internal/receive ./deploy/server \
  ./deploy/sync ./test/metrics ./internal/events ./test/netns/... ./test/wire/... ./test/hostile/... ./test/scenario/... ./test/boot/... \
  ./test/bench/... ./release ./test/browser/...
# But for the second build, which compiles everything anew: minutes.
go test -count=1 -timeout 30m ${GOTESTFLAGS:-} -skip 'ASecondBuildElsewhere' ./test/packages
# The SSH door of the mirror, on Debian's sshd.
go test -count=1 ${GOTESTFLAGS:-} -run 'RealSSHD$' ./sync/openssh ./sync/cli ./sync/mirror
# Names in DNS, on a real Knot and a real BIND.
go test -count=1 ${GOTESTFLAGS:-} -run 'OnKnot$|OnBIND$' ./internal/ddns
go test -count=1 ${GOTESTFLAGS:-} -run 'InDNS' -timeout 20m ./test/program
# Those that need a disk of their own or another user; make test runs the others.
go test -count=1 ${GOTESTFLAGS:-} -run 'FullDisk$|HungDisk|OfAnotherUser$' ./test/program
# Its other tests are about settings that name no NetBox.
env -u NETBOX_URL -u NETBOX_TOKEN_FILE \
  go test -count=1 ${GOTESTFLAGS:-} -run 'CannotBeSent$|CannotBeSentTellsNothing$|IsAskedByARP$' ./internal/instance

say 'servers side by side'
make bench-short BENCH=-require

# Last, and in a NetBox that is thrown away: it takes minutes to delete
# ten thousand addresses again.
say 'the mirror'
go test -count=1 -timeout 20m ${GOTESTFLAGS:-} -run 'OnARealNetBox$|RealNetBoxInEachDialect$' -skip TenThousand ./sync/mirror
NETBOX_DISPOSABLE=1 go test -count=1 -timeout 25m ${GOTESTFLAGS:-} -run 'TenThousandLeasesOnARealNetBox$' ./sync/mirror
say 'done'

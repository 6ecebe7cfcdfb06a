#!/usr/bin/env bash
# make integration: installs what it needs (Debian, root), starts a real
# NetBox, and runs every suite against real things. A missing part fails.
# Without a part all of them, in this order:
#   install   what the suites need: Debian packages, a NetBox, a virtual computer
#   company   suites that take as long as they take: others may keep the machine busy meanwhile
#   alone     suites that measure time, or cut the network and the disk: nothing else should run
set -euo pipefail
cd "$(dirname "$0")/.."

start=$SECONDS
say() { printf '\n-- %s (%d s)\n' "$1" $((SECONDS - start)); }
suites() { go test -count=1 -timeout 30m ${GOTESTFLAGS:-} "$@"; }
netbox=test/netboxreal/netbox.sh

if [[ $(id -u) -ne 0 ]]; then
  echo 'make integration needs root: it makes network namespaces and installs packages' >&2
  exit 64
fi
export INTEGRATION=1 REQUIRE_INTEGRATION=1

install() {
  say 'packages'
  bash test/netns/install.sh
  say 'NetBox'
  bash "$netbox" install
  say 'a virtual computer for packages'
  bash test/packages/guest.sh
}

# start_netbox starts one on a pristine database, and sets what names it.
start_netbox() {
  local variables
  say 'NetBox starts'
  trap 'bash "$netbox" stop' EXIT
  variables=$(bash "$netbox" start)
  eval "$variables"
}

company() {
  start_netbox
  say 'suites'
  suites -p 1 ./standins/netboxtest ./internal/netbox/... ./internal/follow ./internal/writeback ./sync/netboxio
  suites -run 'OnARealNetBox$|RealNetBoxInEachDialect$' -skip TenThousand ./sync/mirror
  # Last, and in a NetBox that is thrown away: it takes minutes to delete
  # ten thousand addresses again.
  NETBOX_DISPOSABLE=1 suites -run 'TenThousandLeasesOnARealNetBox$' ./sync/mirror
  bash "$netbox" stop
  unset NETBOX_URL NETBOX_TOKEN_FILE
  suites -p 1 ./standins/sshtest ./deploy/server ./deploy/sync ./test/metrics ./release
  # The SSH door of the mirror, on Debian's sshd.
  suites -run 'RealSSHD$' ./sync/openssh ./sync/cli ./sync/mirror
  # But for the second build, which compiles everything anew: minutes.
  suites -skip 'ASecondBuildElsewhere' ./test/packages
}

alone() {
  start_netbox
  say 'suites'
  go build -o bin/ ./cmd/...
  suites -p 1 ./internal/receive ./internal/events ./test/netns/... ./test/wire/... ./test/hostile/... ./test/scenario/... ./test/boot/... \
    ./test/bench/... ./test/browser/...
  bash "$netbox" stop
  unset NETBOX_URL NETBOX_TOKEN_FILE
  # Names in DNS, on a real Knot and a real BIND.
  suites -run 'OnKnot$|OnBIND$' ./internal/ddns
  # And those that need a disk of their own or another user; make test runs the others.
  suites -run 'InDNS|FullDisk$|HungDisk|OfAnotherUser$' ./test/program
  # Its other tests are about settings that name no NetBox.
  suites -run 'CannotBeSent$|CannotBeSentTellsNothing$|IsAskedByARP$' ./internal/instance
  say 'servers side by side'
  make bench-short BENCH=-require
}

(($# > 0)) || set -- install company alone
for part; do
  case $part in
  install | company | alone) ;;
  *) echo "there is no part $part: install, company, alone" >&2; exit 64 ;;
  esac
done
for part; do "$part"; done
say 'done'

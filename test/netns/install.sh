#!/usr/bin/env bash
# Installs the real DHCP clients and relays that package netns runs in network namespaces (Debian,
# root). Quick when they are there already. No service of theirs is started on the machine itself.
set -euo pipefail

# program=package
readonly needed=(
  ip=iproute2
  udhcpc=udhcpc
  dhclient=isc-dhcp-client
  dhcpcd=dhcpcd-base
  dhcrelay=isc-dhcp-relay
  dnsmasq=dnsmasq-base
  ethtool=ethtool
)
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

missing=()
for entry in "${needed[@]}"; do
  command -v "${entry%%=*}" >/dev/null || missing+=("${entry##*=}")
done
if ((${#missing[@]} == 0)); then
  echo "DHCP clients and relays are installed" >&2
  exit 0
fi
[[ $(id -u) == 0 ]] || { echo "missing ${missing[*]}: run $0 as root" >&2; exit 1; }

began=$SECONDS
if [[ ! -e /usr/sbin/policy-rc.d ]]; then
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 0755 /usr/sbin/policy-rc.d
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -q -o Acquire::Retries=3 update >&2
apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}" >&2
echo "installed ${missing[*]} in $((SECONDS - began)) s" >&2

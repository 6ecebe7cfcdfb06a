#!/usr/bin/env bash
# Installs the real DHCP clients and relays that package netns runs in network namespaces, and the
# virtual computers with the firmware and boot programs of the network boot suite, what makes and judges
# packages, the browser of test/browser, DNS servers, an SSH server, the servers that test/bench measures, and Prometheus's
# promtool (Debian, root). Quick when they are there already. No service of theirs is started on the machine itself.
set -euo pipefail

# program or file=package
readonly needed=(
  ip=iproute2
  udhcpc=udhcpc
  dhclient=isc-dhcp-client
  dhcpcd=dhcpcd-base
  /lib/systemd/systemd-networkd=systemd
  systemd-analyze=systemd
  dhcrelay=isc-dhcp-relay
  dnsmasq=dnsmasq-base
  kea-dhcp4=kea-dhcp4-server
  dhcpd=isc-dhcp-server
  knotd=knot
  named=bind9
  sshd=openssh-server
  strace=strace
  ethtool=ethtool
  promtool=prometheus
  setpriv=util-linux
  chromium=chromium
  qemu-system-x86_64=qemu-system-x86
  qemu-system-aarch64=qemu-system-arm
  /usr/share/OVMF/OVMF_CODE_4M.fd=ovmf
  /usr/share/AAVMF/AAVMF_CODE.fd=qemu-efi-aarch64
  /usr/lib/ipxe/qemu/pxe-virtio.rom=ipxe-qemu
  /usr/lib/ipxe/ipxe.efi=ipxe
  mmdebstrap=mmdebstrap
  mke2fs=e2fsprogs
  cpio=cpio
  rpm=rpm
  rpm2cpio=rpm2cpio
  lintian=lintian
  shellcheck=shellcheck
  getcap=libcap2-bin
  grub-mknetdir=grub-common
  /usr/lib/grub/i386-pc/pxe.mod=grub-pc-bin
  /usr/lib/grub/x86_64-efi/efinet.mod=grub-efi-amd64-bin
)
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

missing=()
for entry in "${needed[@]}"; do
  command -v "${entry%%=*}" >/dev/null || [[ -e ${entry%%=*} ]] || missing+=("${entry##*=}")
done
if ((${#missing[@]} == 0)); then
  echo "DHCP clients, relays, servers and virtual computers are installed" >&2
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
# Nor at the next start of the machine.
for package in kea-dhcp4-server isc-dhcp-server prometheus openssh-server; do
  if [[ " ${missing[*]} " == *" $package "* ]]; then
    unit=${package/openssh-server/ssh}
    systemctl --quiet disable "$unit" >&2 || echo "$unit starts with the machine: systemctl disable $unit" >&2
  fi
done
echo "installed ${missing[*]} in $((SECONDS - began)) s" >&2

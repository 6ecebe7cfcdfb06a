#!/usr/bin/env bash
# Makes the virtual computer on which packages are tried: a small Debian 12 with systemd, from Debian's
# packages, as a raw disk, a kernel and an initrd of two modules (Debian, root; packages mmdebstrap, e2fsprogs,
# qemu-system-x86). Prints the folder that holds them. Minutes the first time, then at once.
set -euo pipefail

readonly SUITE=bookworm
readonly CACHE=${GUEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/coredhcp-netbox/guest-$SUITE}
readonly PACKAGES=systemd-sysv,busybox,kmod,udev,iproute2,udhcpc,init-system-helpers,man-db
readonly KERNEL=linux-image-cloud-amd64   # small, and at home in virtual computers
readonly MODULES='virtio_pci virtio_blk ext4 crc32c_generic'   # that the first steps of a start need

# An image that another version of this script made is made anew.
stamp=$(sha256sum <"${BASH_SOURCE[0]}" | cut -d' ' -f1)
mkdir -p "$CACHE"
exec 9>"$CACHE/lock"
flock 9
if [[ -f $CACHE/stamp && $(<"$CACHE/stamp") == "$stamp" ]]; then
  echo "$CACHE"
  exit 0
fi
[[ $(id -u) == 0 ]] || { echo "run $0 as root" >&2; exit 1; }
began=$SECONDS
rm -rf "$CACHE/stamp" "$CACHE/root" "$CACHE/base.img"
root=$CACHE/root

# The archive that this machine's own apt takes Debian from.
# shellcheck disable=SC2016 # apt expands it
mirror=$(apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
  awk -v suite="$SUITE" '$1 == "Debian" && $2 == suite { print $3; exit }')
[[ -n $mirror ]] || { echo "apt knows no archive of Debian $SUITE" >&2; exit 1; }

# The kernel is unpacked without its scripts: they would make an initrd for any machine there is.
# shellcheck disable=SC2016 # mmdebstrap's shell expands it
mmdebstrap --quiet --mode=root --variant=minbase --include="$PACKAGES" --aptopt='Apt::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --customize-hook="APT_CONFIG=\$MMDEBSTRAP_APT_CONFIG apt-get download \$(APT_CONFIG=\$MMDEBSTRAP_APT_CONFIG apt-cache depends $KERNEL | awk '/Depends: linux-image/ { print \$2; exit }') &&
    dpkg-deb --fsys-tarfile linux-image-*.deb | tar -x --keep-directory-symlink -C \"\$1\" && rm linux-image-*.deb && chroot \"\$1\" depmod \$(ls \"\$1/usr/lib/modules\")" \
  "$SUITE" "$root" "$mirror" >&2
rm -f "$root/etc/dpkg/dpkg.cfg.d/99mmdebstrap"   # packages under test keep their documents
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*

# A shell for the test on the second serial line: one command a line, in base64; it answers with the
# exit code and the output, in base64 again.
cat >"$root/usr/local/sbin/guest-shell" <<'AGENT'
#!/bin/sh
stty raw -echo
echo READY
while read -r line; do
  if out=$(sh -c "$(printf %s "$line" | base64 -d)" 2>&1 </dev/null); then code=0; else code=$?; fi
  printf '%s %s\n' "$code" "$(printf '%s\n' "$out" | base64 -w0)"
done
AGENT
chmod 0755 "$root/usr/local/sbin/guest-shell"
cat >"$root/etc/systemd/system/guest-shell.service" <<'UNIT'
[Service]
ExecStart=/usr/local/sbin/guest-shell
StandardInput=tty-force
StandardOutput=tty
TTYPath=/dev/ttyS1
[Install]
WantedBy=multi-user.target
UNIT
chroot "$root" systemctl --quiet enable guest-shell.service
chroot "$root" systemctl --quiet mask systemd-networkd-wait-online.service getty.target apt-daily.timer apt-daily-upgrade.timer \
  dpkg-db-backup.timer e2scrub_all.timer fstrim.timer man-db.timer systemd-firstboot.service systemd-timesyncd.service
echo guest >"$root/etc/hostname"
echo '/dev/vda / ext4 defaults,noatime 0 0' >"$root/etc/fstab"
echo 6bd9cc1b7f4b4d2b8a3b7c1a5e0d4f21 >"$root/etc/machine-id"   # known, so that no start is a first one

# The first steps: the modules of the disk, then the disk's own init.
kernel=$(ls "$root/usr/lib/modules")
first=$CACHE/first
rm -rf "$first"
mkdir -p "$first"/{bin,dev,proc,disk,modules}
for file in $(chroot "$root" ldd /bin/busybox | grep -o '/[^ ]*'); do install -D "$root/$file" "$first/$file"; done
install "$root/bin/busybox" "$first/bin/busybox"
ln -s busybox "$first/bin/sh"
{
  printf '#!/bin/sh\n/bin/busybox mount -t devtmpfs dev /dev\n'
  for module in $MODULES; do chroot "$root" modprobe --set-version "$kernel" --show-depends "$module"; done |
    awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r path; do
      cp "$root/$path" "$first/modules/"
      echo "/bin/busybox insmod /modules/${path##*/}"
    done
  printf 'while [ ! -b /dev/vda ]; do /bin/busybox sleep 0.1; done\n/bin/busybox mount -t ext4 /dev/vda /disk\n'
  printf '/bin/busybox mount --move /dev /disk/dev\nexec /bin/busybox switch_root /disk /sbin/init\n'
} >"$first/init"
chmod 0755 "$first/init"
(cd "$first" && find . | cpio --quiet -o -H newc | gzip -1) >"$CACHE/initrd"
install -m 644 "$root/boot/vmlinuz-$kernel" "$CACHE/vmlinuz"

mke2fs -q -t ext4 -d "$root" "$CACHE/base.img" 1500M
rm -rf "$root" "$first"
echo "$stamp" >"$CACHE/stamp"
echo "made $CACHE in $((SECONDS - began)) s" >&2
echo "$CACHE"

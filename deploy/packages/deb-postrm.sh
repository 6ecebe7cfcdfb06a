#!/bin/sh
# Debian's postrm: a removal keeps settings, tokens and state, and above all leases. A purge
# deletes them. User and group stay, so that no other program gets their numbers.
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl --system daemon-reload >/dev/null || true
fi
if [ "$1" = purge ]; then
  rm -rf '/etc/@PACKAGE@' '/var/lib/@PACKAGE@' '/var/cache/@PACKAGE@'
  # shellcheck disable=SC2043,SC2066 # several units
  for unit in @UNITS@; do
    if command -v deb-systemd-helper >/dev/null; then
      deb-systemd-helper purge "$unit" >/dev/null || true
      deb-systemd-helper unmask "$unit" >/dev/null || true
    fi
    # What systemctl enable made.
    rm -f "/etc/systemd/system/multi-user.target.wants/$unit" "/etc/systemd/system/timers.target.wants/$unit"
  done
fi

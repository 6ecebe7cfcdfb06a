#!/bin/sh
# Debian's postinst: the user and the folders, then systemd is told of the units. A unit that
# was never enabled is not enabled here; one that runs goes on with the new program.
set -e
units='@UNITS@'
restart='@RESTART@'

case "$1" in
configure | abort-upgrade | abort-deconfigure | abort-remove)
  systemd-sysusers '@PACKAGE@.conf'
  systemd-tmpfiles --create '@PACKAGE@.conf' || true
  for unit in $units; do
    if deb-systemd-helper debian-installed "$unit"; then
      deb-systemd-helper unmask "$unit" >/dev/null || true
      if deb-systemd-helper --quiet was-enabled "$unit"; then
        deb-systemd-helper enable "$unit" >/dev/null || true
      fi
    fi
    deb-systemd-helper update-state "$unit" >/dev/null || true
  done
  if [ -d /run/systemd/system ]; then
    if [ -e '/usr/lib/sysctl.d/90-@PACKAGE@.conf' ]; then
      /lib/systemd/systemd-sysctl '/usr/lib/sysctl.d/90-@PACKAGE@.conf' || true
    fi
    systemctl --system daemon-reload >/dev/null || true
    if [ -n "$2" ]; then
      # shellcheck disable=SC2086 # several units
      deb-systemd-invoke try-restart $restart >/dev/null || true
    fi
  fi
  ;;
esac

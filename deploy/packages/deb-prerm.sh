#!/bin/sh
# Debian's prerm: a removal stops what runs. An upgrade does not: the program goes on until
# postinst starts the new one.
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  # shellcheck disable=SC2043,SC2066 # several units
  for unit in @UNITS@; do deb-systemd-invoke stop "$unit" >/dev/null || true; done
fi

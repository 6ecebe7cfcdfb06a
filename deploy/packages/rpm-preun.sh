#!/bin/sh
# rpm's %preun: what the macro systemd_preun does at a removal, and nothing at an upgrade.
if [ "$1" -eq 0 ] && [ -x /usr/bin/systemctl ]; then
  systemctl --no-reload disable --now @UNITS@ || :
fi

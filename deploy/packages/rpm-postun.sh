#!/bin/sh
# rpm's %postun: what the macro systemd_postun_with_restart does. A removal keeps state, leases
# and settings that were edited.
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload || :
  if [ "$1" -ge 1 ]; then systemctl try-restart @RESTART@ || :; fi
fi

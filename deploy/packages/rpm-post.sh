#!/bin/sh
# rpm's %post: what the macros systemd_post, tmpfiles_create_package and sysctl_apply do. The
# presets of the distribution decide whether a unit is enabled; Fedora's leave them off.
systemd-tmpfiles --create '@PACKAGE@.conf' || :
if [ -e '/usr/lib/sysctl.d/90-@PACKAGE@.conf' ] && [ -x /usr/lib/systemd/systemd-sysctl ]; then
  /usr/lib/systemd/systemd-sysctl '/usr/lib/sysctl.d/90-@PACKAGE@.conf' || :
fi
if [ "$1" -eq 1 ] && [ -x /usr/bin/systemctl ]; then
  systemctl --no-reload preset @UNITS@ || :
fi
if [ -d /run/systemd/system ]; then systemctl daemon-reload || :; fi

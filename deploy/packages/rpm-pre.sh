#!/bin/sh
# rpm's %pre: the user, before files with its group are unpacked.
systemd-sysusers --replace='/usr/lib/sysusers.d/@PACKAGE@.conf' - <<'END' || :
@SYSUSERS@
END

#!/bin/sh
# shellcheck disable=SC2154 # the client sets the variables
# Called by dhclient with the event in $reason and the lease in new_* variables.
case $reason in
PREINIT)
  ip address flush dev "$interface"
  ip link set "$interface" up
  ;;
BOUND | RENEW | REBIND | REBOOT)
  ip address replace "$new_ip_address/${new_subnet_mask:-255.255.255.255}" dev "$interface"
  if [ -n "$new_routers" ]; then
    ip route replace default via "${new_routers%% *}" dev "$interface"
  fi
  ;;
EXPIRE | FAIL | RELEASE | STOP)
  ip address flush dev "$interface"
  ;;
esac
{ printf 'event=%s\0' "$reason"; env -0; printf '\0'; } >"${0%/*}/events"

#!/bin/sh
# shellcheck disable=SC2154 # the client sets the variables
# Called by udhcpc with the event as argument and the lease in the environment.
case $1 in
deconfig)
  ip address flush dev "$interface"
  ip link set "$interface" up
  ;;
bound | renew)
  ip address replace "$ip/$mask" dev "$interface"
  if [ -n "$router" ]; then
    ip route replace default via "${router%% *}" dev "$interface"
  fi
  ;;
esac
{ printf 'event=%s\0' "$1"; env -0; printf '\0'; } >"${0%/*}/events"

#!/bin/sh
# Reads the log of systemd-networkd, which has no script of its own for events, passes it on and
# tells the event with the lease in the variables of networkd's own lease file.
tell() {
  { printf 'event=%s\0' "$1"; env -0; printf '\0'; } >"${0%/*}/events"
}
address=
while IFS= read -r line; do
  printf '%s\n' "$line"
  case $line in
  *': Configuring DHCPv4 address'*)
    address=${line#*address (*): }
    address=${address%%/*}
    ;;
  *': DHCPv4 address and routes set.')
    # The file is written at the end of the same turn of its loop.
    for lease in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
      for lease in /run/systemd/netif/leases/*; do :; done
      grep -qx "ADDRESS=$address" "$lease" 2>/dev/null && break
      sleep 0.1
    done
    (
      while IFS='=' read -r key value; do
        case $key in [A-Z]*) export "lease_$key=$value" ;; esac
      done <"$lease"
      tell BOUND
    )
    ;;
  *': DHCPv4 client: NAK'*) tell NAK ;;
  *': DHCPv4 client: EXPIRED'*) tell EXPIRE ;;
  *': DHCPv4 client: RELEASE'*) tell RELEASE ;;
  esac
done

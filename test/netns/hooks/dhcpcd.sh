#!/bin/sh
# shellcheck disable=SC2154 # the client sets the variables
# Called by dhcpcd, which configures the interface itself, with the event in $reason and the lease
# in new_* variables.
{ printf 'event=%s\0' "$reason"; env -0; printf '\0'; } >"${0%/*}/events"

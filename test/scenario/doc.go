// Package scenario tells the whole story with real things only: the built binary in a network
// namespace, a real NetBox filled over its REST API, real DHCP clients and relays. It must not
// reach into the server under test: what it knows is what clients, operators and NetBox see.
// The NetBox is named by NETBOX_URL and NETBOX_TOKEN or NETBOX_TOKEN_FILE (a superuser's); every
// object made there carries a name of the run and is deleted afterwards.
package scenario

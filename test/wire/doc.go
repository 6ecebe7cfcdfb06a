// Package wire tells stories of the built server on real wires in network
// namespaces, with real DHCP clients and relays, and as the user that its unit
// names. The facts come from an inventory, so no NetBox is needed. It must not
// reach into the server under test.
package wire

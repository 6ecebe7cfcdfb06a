// Package relayed tells stories of real DHCP clients behind a real relay that
// sends from its interface towards the server, on a VLAN with two subnets. The
// facts come from an inventory, so no NetBox is needed. It must not reach into
// the server under test.
package relayed

// Package boot starts computers with real firmware in QEMU and watches them boot from the network:
// SeaBIOS with iPXE, OVMF and AAVMF, served by the built binary from a real NetBox, in network
// namespaces. It must not reach into the server under test: what it knows is what the computer
// writes to its serial line, what it fetches, and what passed its network card. The NetBox is named
// as for package scenario; every object made there carries a name of the run and is deleted
// afterwards.
//
// What passed the network card is kept as plugins/pxe/testdata, where it is replayed without any of
// this; -update writes it anew.
package boot

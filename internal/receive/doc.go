// Package receive is the DHCPv4 receive loop that takes the place of CoreDHCP's
// own (REC-1): it listens, runs the chain on each message and sends what comes
// out of it. Answer is the same without sockets, for the command explain.
//
// The package moves packets and knows nothing of leases or NetBox: what to
// answer is decided by the handlers of the chain alone.
package receive

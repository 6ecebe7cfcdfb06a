// Package launch is the body of every server binary: the command line, the
// start and the orderly end of a CoreDHCP with the plugins it is given, and the
// DHCPv4 receive loop that takes the place of CoreDHCP's own (REC-1).
//
// The loop moves packets and knows nothing of leases or NetBox: what to answer
// is decided by the handlers of the chain alone.
package launch

package lease

import "github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"

// Locate says where the client of m is (N-1 to N-4) and which machine it is
// (I-4), for plugins that tell clients something without a lease of ours. It
// asks what Decide asks, but for network.subnet, which is about leases. network
// is nil where NetBox has none of the client's networks, or only a relay that
// nothing vouches for names it (N-11), and machine where the client is none in
// NetBox. Both are nil where clients there are not served (N-20, CTX-5).
func Locate(s *ipam.Snapshot, m ClientMessage) (network *ipam.Subnet, machine *ipam.Machine) {
	d := decider{f: &Facts{Policy: new(Policy)}, s: s, m: &m}
	refused := d.admit()
	if refused != "" && refused != ReasonRelayUnknown {
		return nil, nil
	}
	w, reason := d.networks()
	if reason == ReasonUnserved || reason != "" && !s.ServesAll() { // N-20
		return nil, nil
	}
	c := d.identify(w)
	machine = c.machine
	if reason == "" && d.barred(w.first(), c).silent() {
		return nil, nil
	}
	if refused == "" && reason == "" && (!d.hearsay || machine != nil) {
		network = w.first()
	}
	return network, machine
}

// Identify says which machine the client of m is, where another plugin's
// address says that it is in network (I-4, G-1); nil for none in NetBox.
func Identify(s *ipam.Snapshot, m ClientMessage, network *ipam.Subnet) *ipam.Machine {
	d := decider{f: &Facts{Policy: new(Policy)}, s: s, m: &m}
	return d.identify(oneNetwork(network)).machine
}

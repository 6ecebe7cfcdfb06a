package lease

import "net/netip"

// admit asks whether the relay of the message may speak for clients (N-10), and what
// counts of its word (N-11, N-12). It reports why the
// message is not answered at all, or "".
func (d *decider) admit() Reason {
	m := d.m
	d.override, d.selected = m.Override, m.SubnetSelection
	if !d.s.ListedRelay(m.Source) && m.SubnetSelection.IsValid() {
		d.trace.addf("N-12", "the subnet selection option does not count: any client can send it, and the sender is not listed in network.relays")
		d.selected, d.relayed.Ignored = netip.Addr{}, true
	}
	if !m.Relay.IsValid() {
		return ""
	}
	if reason := d.stranded(); reason != "" {
		return reason
	}
	d.relayed.Vouched = d.vouched()
	if d.relayed.Vouched {
		return ""
	}
	if m.LinkSelection.IsValid() || m.Override.IsValid() {
		if d.trace != nil {
			d.trace.addf("N-11", "nothing vouches for relay %s: sender %s is not its address, not listed, and no address of its device", m.Relay, m.Source)
		}
		d.relayed.Ignored, d.hearsay = true, m.LinkSelection.IsValid()
	}
	d.override = netip.Addr{}
	return ""
}

// stranded reports why the message's relay is none of ours, or "".
func (d *decider) stranded() Reason {
	m := d.m
	switch {
	case !d.s.MayRelay(m.Relay) && !d.s.RelaysListed():
		if d.trace != nil {
			d.trace.addf("N-10", "relay %s is in no prefix of NetBox", m.Relay)
		}
		return ReasonRelayUnknown
	case !d.s.MayRelay(m.Relay):
		if d.trace != nil {
			d.trace.addf("N-10", "relay %s is not listed in network.relays, nor is an address of its device", m.Relay)
		}
		return ReasonRelayUnlisted
	case d.s.RelaysListed() && m.Source.IsValid() && m.Source != m.Relay && !d.s.MayRelay(m.Source):
		if d.trace != nil {
			d.trace.addf("N-10", "sender %s is not listed in network.relays, nor is an address of its device", m.Source)
		}
		return ReasonSenderUnlisted
	}
	return ""
}

// vouched reports whether the sender of a relayed message proves that the relay
// itself sent it. The stock server does not know the sender, and believes all.
func (d *decider) vouched() bool {
	relay, sender := d.m.Relay, d.m.Source
	return !sender.IsValid() || sender == relay || d.s.ListedRelay(sender) || d.s.SameMachine(relay, sender)
}

// onlyRunning reports why the client may have no new lease now, and the rule:
// NetBox was not heard for too long (H-4), or only a link selection that nothing
// vouches for says where a stranger is (N-11).
func (d *decider) onlyRunning(c *client) (rule string, reason Reason) {
	switch {
	case d.stale:
		return "H-4", ReasonStale
	case d.hearsay && !c.known():
		d.trace.addf("N-11", "a client that NetBox does not know gets nothing new by it")
		return "N-11", ReasonHearsay
	}
	return "", ""
}

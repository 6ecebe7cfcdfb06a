package lease

// discover serves DHCPDISCOVER (D-1, D-2, A-1).
func (d *decider) discover() *Decision {
	if d.m.Waited < d.f.Policy.Standby {
		d.trace.addf("S-6", "client has waited %s, less than lease.standby_secs", d.m.Waited)
		return d.silent("S-6", ReasonStandby)
	}
	w, reason := d.networks()
	if reason != "" {
		return d.silent("D-2", reason)
	}
	c := d.identify(w)
	if c.refused != "" {
		return d.turnedAway("D-2", c)
	}
	if len(c.statics) > 0 {
		return d.offerStatic(c, w)
	}
	if decision, ok := d.offerClaimed(c); ok {
		return decision
	}
	if b := d.turnedOut(c, w); b.shut() {
		return d.offerLast(b, c, w)
	}
	if doubt, why := d.doubted(c); doubt != "" {
		return d.offerRunning(doubt, why, c, w)
	}
	choice, n := d.chooseAnother(c, w)
	if choice.address == nil {
		choice, n = d.fromStranger(c, w, choice)
	}
	if choice.address == nil {
		choice, n = d.fromQuarantine(c, w, choice)
	}
	if choice.address == nil {
		d.trace.addf("D-2", "no dynamic address is available")
		reason = ReasonPoolEmpty
		if choice.skewed {
			reason = ReasonClockSkew
		}
		empty := d.silent("D-2", reason)
		empty.Subnet, empty.Machine = w.first(), c.machine
		return empty
	}
	decision := d.grant("D-1", Offer, choice.reason, choice.address, n, c)
	decision.effect = effect{hold: choice.address.Address.Addr(), stranger: !c.known(), probe: !choice.own, share: choice.share, ends: choice.ends,
		rested: choice.rested, mustProbe: choice.rested || d.mayBeUsed(choice.address, c)}
	return decision
}

// offerRunning offers a client its own running lease where nothing new may be
// leased. Without a store an OFFER would be a promise that cannot be kept.
func (d *decider) offerRunning(doubt string, why Reason, c *client, w wire) *Decision {
	for _, n := range w.all {
		a := d.ownBinding(c, n)
		if a == nil || d.f.Storeless || !d.binding(a).running(d.now) {
			continue
		}
		decision := d.grant("D-1", Offer, ReasonBound, a, n, c)
		decision.effect.hold, decision.effect.stranger = a.Address.Addr(), !c.known()
		return decision
	}
	return d.silent(doubt, why)
}

func (d *decider) offerStatic(c *client, w wire) *Decision {
	a := c.statics[0]
	return d.grant("D-1", Offer, ReasonStatic, a, d.networkOf(a.Address.Addr(), w.all), c)
}

package ipam

import (
	"net/netip"
	"slices"
)

// Loss says whether a source still shows a row that it once had. What vanished
// without a deletion is no deletion (T-1).
type Loss uint8

// The zero Loss is a row that the source shows.
const (
	Present Loss = iota
	// Lost is a row that is not shown and was not seen deleted, or whose change
	// is doubted: it serves its host and running leases, gives no new lease, and
	// supports no refusal.
	Lost
	// Ended is a lost row that is most likely deleted: it serves no client, and
	// still supports no refusal.
	Ended
)

// LossCount is how many rows of one table are lost, Ended ones included.
type LossCount struct {
	Table      string // what people call the rows: "IP addresses"
	Lost, Rows int    // Rows counts the lost ones too
}

// Losses counts the lost rows of all tables that a refusal rests on, in a fixed
// order.
func (s *Snapshot) Losses() []LossCount { return s.losses }

// Doubtful reports whether so much vanished that no client can be refused: more
// than a fifth of a table, or a tag or VRF that the settings name (T-3).
func (s *Snapshot) Doubtful() bool { return s.doubtful }

// Loss is the loss that an address stands under: its own, that of its VRF, that of
// the tag that makes it dynamic, or that of the range which it was made for a lease in. A tag or VRF that the name in the
// settings has left counts as lost (T-6).
func (s *Snapshot) Loss(a *Address) Loss {
	loss := max(a.Loss, s.lostVRFs[a.VRF])
	if p, in := s.madeIn(a); in {
		loss = max(loss, p.loss)
	}
	switch {
	case a.Range != nil: // its loss says all
	case s.dynamicTag == 0 || s.dynamicStatus != "" && a.Status == s.dynamicStatus:
	case slices.Contains(a.Tags, s.dynamicTag):
		loss = max(loss, s.lostTag)
	case slices.Contains(a.Tags, s.formerTag):
		loss = max(loss, Lost)
	}
	return loss
}

// MACLoss is the loss of what a MAC leads to: of its object, an interface, or a
// machine. Whom it belongs to is then unsure.
func (s *Snapshot) MACLoss(m MAC) Loss { return s.lostMACs[m] }

// Vanished reports whether the network rests on a row that is not shown any
// more: it serves whom it served, and gives no new lease (T-1).
func (n *Subnet) Vanished() bool { return n.loss != Present }

// VanishedAt reports whether something vanished that says what addr is: its own
// object, or a prefix that holds it.
func (s *Snapshot) VanishedAt(vrf int64, addr netip.Addr) bool {
	if a := s.Address(vrf, addr); a != nil && s.Loss(a) != Present {
		return true
	}
	if slices.ContainsFunc(s.endedPrefixes, func(p *Prefix) bool { return p.Prefix.Contains(addr) }) {
		return true
	}
	for p := s.smallest(vrf, addr); p != nil; p = p.wider {
		if p.Vanished() {
			return true
		}
	}
	return false
}

// countLosses counts what is lost, and decides whether that is too much to
// refuse anybody.
func (b *builder) countLosses() {
	o := b.s.objects
	b.s.losses = []LossCount{
		lossesOf("IP addresses", o.Addresses, func(r *Address) Loss { return r.Loss }),
		lossesOf("MAC addresses", o.MACs, func(r *MACAddress) Loss { return r.Loss }),
		lossesOf("interfaces", o.Interfaces, func(r *Interface) Loss { return r.Loss }),
		lossesOf("machines", o.Machines, func(r *Machine) Loss { return r.Loss }),
		lossesOf("prefixes", o.Prefixes, func(r *Prefix) Loss { return r.Loss }),
		lossesOf("IP ranges", o.Ranges, func(r *Range) Loss { return r.Loss }),
		lossesOf("VRFs", o.VRFs, func(r *VRF) Loss { return r.Loss }),
		lossesOf("tags", o.Tags, func(r *Tag) Loss { return r.Loss }),
	}
	for _, c := range b.s.losses {
		b.s.doubtful = b.s.doubtful || c.Lost*5 > c.Rows
	}
	b.s.doubtful = b.s.doubtful || b.s.lostTag != Present || b.s.vrf > 0 && b.s.lostVRFs[b.s.vrf] != Present
}

func lossesOf[K comparable, V any](table string, rows map[K]*V, loss func(*V) Loss) LossCount {
	c := LossCount{Table: table, Rows: len(rows)}
	for _, row := range rows {
		if loss(row) != Present {
			c.Lost++
		}
	}
	return c
}

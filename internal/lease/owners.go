package lease

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// ownersNote is the name of the note that says who is served where an address
// has several owners.
const ownersNote = "owners"

// markTime bounds the write of the marks and of the longest lease, so that a disk that hangs does not keep
// a new snapshot from its clients.
const markTime = 3 * time.Second

// Mark says which interface is served an address that NetBox assigns to several
// (I-9).
type Mark struct {
	VRF  int64      `json:"vrf"` // 0: global table
	Host netip.Addr `json:"host"`
	Kind ipam.Kind  `json:"kind"`
	ID   int64      `json:"id"` // of the interface
}

func (m Mark) port() ipam.InterfaceID { return ipam.InterfaceID{Kind: m.Kind, ID: m.ID} }

// Marks returns who is served where an address has several owners, by VRF and
// address. They are in the store too; a copy elsewhere goes to RestoreMarks at a
// start without a store.
func (e *Engine) Marks() []Mark {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.facts.Leases.marks)
}

// RestoreMarks takes marks that were kept outside of the store. Those of the
// store go before them.
func (e *Engine) RestoreMarks(marks []Mark) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.facts.Leases
	for _, m := range marks {
		if markOf(l.marks, m.VRF, m.Host) == nil {
			l.marks = append(l.marks, m)
		}
	}
	if e.facts.Snapshot != nil {
		e.settleOwners(e.facts.Snapshot, e.facts.Snapshot)
	}
}

func markOf(marks []Mark, vrf int64, host netip.Addr) *Mark {
	i := slices.IndexFunc(marks, func(m Mark) bool { return m.VRF == vrf && m.Host == host })
	if i < 0 {
		return nil
	}
	return &marks[i]
}

// settleOwners decides who is served each address with several owners in next:
// the one with the mark of the store, else the one marked in memory, else the
// only one that had it before, else without a store the one whose lease a record
// shows, else the one with the lowest object id (I-9).
func (e *Engine) settleOwners(next, before *ipam.Snapshot) {
	l := e.facts.Leases
	var kept []Mark
	_ = json.Unmarshal(e.notes[ownersNote], &kept) // what cannot be read says nothing
	var marks []Mark
	l.losers = nil
	for _, c := range next.Contests() {
		winner := c.Owners[0]
		for _, found := range []*ipam.Address{marked(c, kept), marked(c, l.marks), hadBefore(c, before), e.leasedBy(next, c)} {
			if found != nil {
				winner = found
				break
			}
		}
		for _, a := range c.Owners {
			if a == winner {
				continue
			}
			if l.losers == nil {
				l.losers = make(map[*ipam.Address]*ipam.Address)
			}
			l.losers[a] = winner
		}
		if markOf(l.marks, c.VRF, c.Host) == nil {
			e.tellContest(next, c, winner)
		}
		marks = append(marks, Mark{VRF: c.VRF, Host: c.Host, Kind: winner.Interface.Kind, ID: winner.Interface.ID})
	}
	l.marks = marks
}

// tellContest says once who is served.
func (e *Engine) tellContest(s *ipam.Snapshot, c ipam.Contest, winner *ipam.Address) {
	var others []string
	for _, a := range c.Owners {
		if a != winner {
			others = append(others, s.PortName(a.Interface))
		}
	}
	e.config.Log.WithFields(logrus.Fields{"addr": c.Host, "vrf": s.VRFName(c.VRF), "served": s.PortName(winner.Interface), "others": others}).
		Error("NetBox assigns one address to several ports: one of them is served")
}

func marked(c ipam.Contest, marks []Mark) *ipam.Address {
	m := markOf(marks, c.VRF, c.Host)
	if m == nil {
		return nil
	}
	if i := slices.IndexFunc(c.Owners, func(a *ipam.Address) bool { return a.Interface == m.port() }); i >= 0 {
		return c.Owners[i]
	}
	return nil
}

// hadBefore returns the only one of the owners that had the address in the
// snapshot before, nil where none or several had.
func hadBefore(c ipam.Contest, before *ipam.Snapshot) *ipam.Address {
	if before == nil {
		return nil
	}
	var found *ipam.Address
	for _, a := range c.Owners {
		had := func(old *ipam.Address) bool {
			return old.Address.Addr() == c.Host && old.VRF == c.VRF && before.IsStatic(old)
		}
		if !slices.ContainsFunc(before.Assigned(a.Interface), had) {
			continue
		}
		if found != nil {
			return nil
		}
		found = a
	}
	return found
}

// leasedBy returns the owner whose running lease a record of the address shows, where
// no store tells: a mark there would have followed that lease (I-9). nil: none, or
// the store tells.
func (e *Engine) leasedBy(s *ipam.Snapshot, c ipam.Contest) *ipam.Address {
	if !e.facts.Storeless {
		return nil
	}
	now := e.judged(e.config.Now())
	for _, shown := range c.Owners {
		mac, err := ipam.ParseMAC(shown.Record.Client)
		if err != nil || !shown.Record.Running(now) {
			continue
		}
		for _, a := range c.Owners {
			if hasByMAC(s, mac, func(its *ipam.Address) bool { return its == a }) {
				return a
			}
		}
	}
	return nil
}

// attachMarks lets the marks of a store count that comes while the engine works.
func (e *Engine) attachMarks(ctx context.Context, store Store) error {
	known := false
	e.locked(func() {
		if s := e.facts.Snapshot; s != nil {
			known = true
			e.settleOwners(s, s)
		}
	})
	if !known {
		return nil
	}
	return e.keepMarks(ctx, store)
}

// keepMarks makes the marks durable. Without a store they are in memory: one
// that comes later may know better.
func (e *Engine) keepMarks(ctx context.Context, store Store) error {
	var value []byte
	if marks := e.Marks(); len(marks) > 0 {
		var err error
		if value, err = json.Marshal(marks); err != nil {
			return err
		}
	}
	if string(value) == string(e.Note(ownersNote)) {
		return nil
	}
	return e.noteIn(ctx, store, ownersNote, value)
}

// keepNow is keepMarks and keepLongest after a new snapshot. What fails is tried again
// by Attach.
func (e *Engine) keepNow() {
	store := e.current()
	if _, none := store.(noStore); none {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), markTime)
	defer cancel()
	if err := e.keepMarks(ctx, store); err != nil {
		e.config.Log.WithError(err).Warn("who is served where an address has several owners may not outlive a restart")
	}
	if err := e.keepLongest(ctx, store); err != nil {
		e.config.Log.WithError(err).Warn("how long leases can be by contexts may not outlive a restart")
	}
}

// lostTo returns the address of the owner that is served instead, nil where a
// has one owner or is the one that is served.
func (d *decider) lostTo(a *ipam.Address) *ipam.Address {
	if d.l == nil {
		return nil
	}
	return d.l.losers[a]
}

// lostByClient reports whether addr is a static address of the client in NetBox
// that another owner is served: no refusal can be founded on that (I-9).
func (d *decider) lostByClient(addr netip.Addr) bool {
	for a := range d.l.losers {
		if a.Address.Addr() == addr && d.mine(addr) {
			return true
		}
	}
	return false
}

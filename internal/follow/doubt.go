package follow

import (
	"maps"
	"net/netip"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// harm is that a client would be refused or moved.
type harm struct {
	at     time.Time
	before ipam.Claimants
}

// judge looks at a snapshot without held rows. If the changes since the last
// doubt would together refuse or move too many clients, their old rows are held
// (T-4).
func (g *guard) judge(plain *ipam.Snapshot, now time.Time) {
	before := g.plain
	g.plain = plain
	fresh := g.fresh
	g.fresh = false
	if !fresh || before == nil || g.doubt <= 0 {
		return
	}
	var leased map[netip.Addr]bool
	if g.leased != nil {
		leased = g.leased()
	}
	was, is := before.Claims(leased, now), plain.Claims(leased, now)
	maps.DeleteFunc(g.harmed, func(c ipam.Claim, h harm) bool {
		return is[c].Meets(h.before) || now.Sub(h.at) >= g.doubt
	})
	for claim, before := range was {
		if _, known := g.harmed[claim]; !known && !is[claim].Meets(before) {
			g.harmed[claim] = harm{now, before}
		}
	}
	if hurt, of := g.worst(was); hurt > 0 {
		g.hold(now, hurt, of)
	}
}

// worst returns how many clients of how many would be refused or moved, of all
// or of the first prefix where that is too many; 0: nowhere.
func (g *guard) worst(was map[ipam.Claim]ipam.Claimants) (hurt, of int) {
	all, harmed := make(map[netip.Prefix]int), make(map[netip.Prefix]int)
	var everywhere netip.Prefix
	for claim, c := range was {
		if _, known := g.harmed[claim]; !known {
			all[c.Prefix]++
			all[everywhere]++
		}
	}
	for _, h := range g.harmed {
		for _, p := range []netip.Prefix{h.before.Prefix, everywhere} {
			all[p]++
			harmed[p]++
		}
	}
	for p, n := range harmed {
		if n >= 4 && n*5 > all[p] && n > hurt {
			hurt, of = n, all[p]
		}
	}
	return hurt, of
}

// hold lets the old rows serve.
func (g *guard) hold(now time.Time, hurt, of int) {
	held := len(g.held)
	for row, kept := range g.recent {
		if _, already := g.held[row]; !already {
			kept.until = kept.since.Add(g.doubt)
			g.held[row] = kept
		}
	}
	if len(g.held) > held {
		g.log.WithFields(logrus.Fields{"clients": hurt, "of": of, "rows": len(g.held), "until": now.Add(g.doubt).UTC().Format(time.RFC3339)}).
			Error("NetBox changed so much within poll.doubt that clients would lose their addresses; the old rows serve until then, unless the changes are accepted or undone")
	}
}

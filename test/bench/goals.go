package main

import "fmt"

// goals compares with what the project set itself.
func (r *report) goals() table {
	t := table{title: "Goals", head: []string{"figure", "goal", "measured", "reached"}}
	add := func(about, want, measured string, reached bool) {
		answer := "no"
		if reached {
			answer = "yes"
		}
		t.rows = append(t.rows, []string{about, want, measured, answer})
	}
	ms := r.Medians
	for _, g := range []struct {
		about, ours, theirs string
		least               float64
	}{
		{"dynamic, durable before the ACK, of the stub with grouped sync", oursDyn, stubGroup, 0.6},
		{"dynamic, of Kea memfile", oursDyn, keaDyn, 3},
		{"known hosts, of the stub", oursKnown, stubPlain, 0.7},
		{"known hosts, of CoreDHCP with `file`", oursKnown, coreDHCPFile, 2},
	} {
		if a, b, ok := ms.pair(partClosed, g.ours, g.theirs); ok {
			add(g.about, fmt.Sprintf("at least %.1f", g.least), fmt.Sprintf("%.2f", a.Rate/b.Rate), a.Rate/b.Rate >= g.least)
		}
	}
	for _, g := range []struct{ about, ours, theirs string }{
		{"dynamic", oursDyn, keaDyn},
		{"known hosts", oursKnown, keaKnown},
	} {
		a, b, ok := ms.pair(partHalf, g.ours, g.theirs)
		if !ok {
			continue
		}
		add(g.about+": CPU for an exchange at half load, of Kea", "at most 0.5", fmt.Sprintf("%.2f", a.CPU/b.CPU), a.CPU/b.CPU <= 0.5)
		add(g.about+": p50 at half load", "below 0.5 ms, or not above Kea's", beside(a.P50, b.P50), a.P50 < 0.5 || a.P50 <= b.P50)
		add(g.about+": p99 at half load", "below 2 ms, or not above Kea's", beside(a.P99, b.P99), a.P99 < 2 || a.P99 <= b.P99)
	}
	if f, ok := ms.find(partSlow, oursDyn); ok {
		add("slow disk: OFFER p50", "below 0.5 ms", fmt.Sprintf("%.2f ms", f.OfferP50), f.OfferP50 < 0.5)
	}
	if f, ok := ms.find(partSyncs, oursDyn); ok {
		add("syncs for 200 exchanges with 64 under way", "at most 12", number(f.Syncs), f.Syncs <= 12)
	}
	return t
}

func beside(ours, kea float64) string { return fmt.Sprintf("%.2f ms, Kea %.2f ms", ours, kea) }

// pair finds the same part of two peers.
func (fs figures) pair(part, ours, theirs string) (a, b *figure, ok bool) {
	a, found := fs.find(part, ours)
	b, ok = fs.find(part, theirs)
	return a, b, found && ok
}

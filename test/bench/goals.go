package main

import "fmt"

// goals compares with what the project set itself.
func (r *report) goals() table {
	t := table{title: "Goals", head: []string{"figure", "goal", "measured", "reached"}}
	t.rateGoals(r.Medians)
	t.halfLoadGoals(r.Medians)
	t.diskGoals(r.Medians)
	t.memoryGoals(r.Medians)
	return t
}

func (t *table) goal(about, want, measured string, reached bool) {
	answer := "no"
	if reached {
		answer = "yes"
	}
	t.rows = append(t.rows, []string{about, want, measured, answer})
}

func (t *table) rateGoals(fs figures) {
	for _, g := range []struct {
		about, ours, theirs string
		least               float64
	}{
		{"dynamic, durable before the ACK, of the stub with grouped sync", oursDyn, stubGroup, 0.6},
		{"dynamic, of Kea memfile", oursDyn, keaDyn, 3},
		{"known hosts, of the stub", oursKnown, stubPlain, 0.7},
		{"known hosts, of CoreDHCP with `file`", oursKnown, coreDHCPFile, 2},
	} {
		if a, b, ok := fs.pair(partClosed, g.ours, g.theirs); ok {
			ratio := a.Rate / b.Rate
			t.goal(g.about, fmt.Sprintf("at least %.1f", g.least), fmt.Sprintf("%.2f", ratio), ratio >= g.least)
		}
	}
}

func (t *table) halfLoadGoals(fs figures) {
	for _, g := range []struct{ about, ours, theirs string }{
		{"dynamic", oursDyn, keaDyn},
		{"known hosts", oursKnown, keaKnown},
	} {
		a, b, ok := fs.pair(partHalf, g.ours, g.theirs)
		if !ok {
			continue
		}
		ratio := a.CPU / b.CPU
		t.goal(g.about+": CPU for an exchange at half load, of Kea", "at most 0.5", fmt.Sprintf("%.2f", ratio), ratio <= 0.5)
		t.goal(g.about+": p50 at half load", "below 0.5 ms, or not above Kea's", beside(a.P50, b.P50), a.P50 < 0.5 || a.P50 <= b.P50)
		t.goal(g.about+": p99 at half load", "below 2 ms, or not above Kea's", beside(a.P99, b.P99), a.P99 < 2 || a.P99 <= b.P99)
	}
}

func beside(ours, kea float64) string { return fmt.Sprintf("%.2f ms, Kea %.2f ms", ours, kea) }

func (t *table) diskGoals(fs figures) {
	if f, ok := fs.find(partSlow, oursDyn); ok {
		t.goal("slow disk: OFFER p50", "below 0.5 ms", fmt.Sprintf("%.2f ms", f.OfferP50), f.OfferP50 < 0.5)
	}
	if f, ok := fs.find(partSyncs, oursDyn); ok {
		t.goal("syncs for 200 exchanges with 64 under way", "at most 12", number(f.Syncs), f.Syncs <= 12)
	}
}

func (t *table) memoryGoals(fs figures) {
	const hosts = 100_000
	for _, f := range fs {
		if f.Part == partHosts && f.Peer == oursKnown && f.Size == hosts {
			t.goal("100 000 known hosts from an inventory: memory", "below 250 MB", fmt.Sprintf("%.0f MB", f.ResidentMB), f.ResidentMB < 250)
			t.goal("the same: first answer after the start", "within 2 s", fmt.Sprintf("%.1f s", f.Start), f.Start <= 2)
		}
	}
}

// pair finds the same part of two peers.
func (fs figures) pair(part, ours, theirs string) (a, b *figure, ok bool) {
	a, found := fs.find(part, ours)
	b, ok = fs.find(part, theirs)
	return a, b, found && ok
}

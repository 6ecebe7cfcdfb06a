package main

import "slices"

// figure is what was measured of one peer in one load.
type figure struct {
	Part       string  `json:"part"`
	Peer       string  `json:"peer"`
	CPUs       int     `json:"cpus"`
	Size       int     `json:"size"` // addresses of the pool, or known hosts
	Leases     int     `json:"leases"`
	Rate       float64 `json:"rate"`     // exchanges a second
	Loss       float64 `json:"loss"`     // share
	Refused    float64 `json:"refused"`  // NAKs
	Repeated   float64 `json:"repeated"` // second answers
	OfferP50   float64 `json:"offer_p50_ms"`
	OfferP99   float64 `json:"offer_p99_ms"`
	P50        float64 `json:"p50_ms"`
	P99        float64 `json:"p99_ms"`
	CPU        float64 `json:"cpu_us"`            // of the server, for one exchange
	Busy       float64 `json:"busy_percent"`      // the server's threads on a processor
	Delayed    float64 `json:"delayed_percent"`   // ready, but without a processor
	LoadBusy   float64 `json:"load_busy_percent"` // the load on its own processor
	ResidentMB float64 `json:"resident_mb"`
	PeakMB     float64 `json:"peak_mb"`
	Syncs      float64 `json:"syncs"`
	Start      float64 `json:"start_s"` // until the first answer, to a fifth of a second
}

// Parts of the bench.
const (
	partClosed   = "closed"  // so many exchanges under way
	partHighest  = "highest" // steady rate with under 1 % loss
	partHalf     = "half"    // half of that rate; comes with it
	partSyncs    = "syncs"
	partSlow     = "slow"      // disk
	partCores    = "cores"     // closed, several processors
	partLeases   = "leases"    // closed, so many leases in the store
	partHosts    = "hosts"     // closed, so many known hosts
	partPage     = "page"      // steady rate, the status page off
	partPageOpen = "page_open" // the same with the page open; comes with it
)

func allParts() []string {
	return []string{partClosed, partHighest, partCores, partSyncs, partSlow, partLeases, partHosts, partPage}
}

// values are the fields of which medians are taken.
func (f *figure) values() []*float64 {
	return []*float64{
		&f.Rate, &f.Loss, &f.Refused, &f.Repeated, &f.OfferP50, &f.OfferP99, &f.P50, &f.P99,
		&f.CPU, &f.Busy, &f.Delayed, &f.LoadBusy, &f.ResidentMB, &f.PeakMB, &f.Syncs, &f.Start,
	}
}

// same tells whether two figures are of the same measurement in two rounds.
func (f *figure) same(g *figure) bool {
	return f.Part == g.Part && f.Peer == g.Peer && f.CPUs == g.CPUs && f.Size == g.Size && f.Leases == g.Leases
}

// figures are what a run found, in its order.
type figures []figure

// find returns the first figure of a part of a peer.
func (fs figures) find(part, peer string) (*figure, bool) {
	for i := range fs {
		if fs[i].Part == part && fs[i].Peer == peer {
			return &fs[i], true
		}
	}
	return nil, false
}

// medians puts the rounds together, in the order in which each first came.
func medians(each figures) figures {
	var result figures
	for i := range each {
		if slices.ContainsFunc(result, func(g figure) bool { return each[i].same(&g) }) {
			continue
		}
		var rounds []figure
		for _, g := range each {
			if each[i].same(&g) {
				rounds = append(rounds, g)
			}
		}
		middle := each[i]
		for field, value := range middle.values() {
			var all []float64
			for r := range rounds {
				all = append(all, *rounds[r].values()[field])
			}
			*value = median(all)
		}
		result = append(result, middle)
	}
	return result
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

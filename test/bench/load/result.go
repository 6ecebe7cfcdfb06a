package load

import (
	"fmt"
	"math"
	"net/netip"
	"time"
)

// Result is what one load met.
type Result struct {
	Started   int
	Naks      int                   // an address was refused
	Repeated  int                   // answers to what was answered
	Wrong     int                   // answers that no server may give
	Complaint string                // about the first wrong one
	Took      time.Duration         // from the first start to the last ACK
	Given     map[netip.Addr]uint32 // the client that each ACK gave an address

	offers, whole []time.Duration // of the exchanges that ended well, sorted
}

// Done is how many exchanges ended with an ACK in time.
func (r *Result) Done() int { return len(r.whole) }

// Rate is the exchanges done a second.
func (r *Result) Rate() float64 {
	if r.Took <= 0 {
		return 0
	}
	return float64(r.Done()) / r.Took.Seconds()
}

// Loss is the share of exchanges that did not end with an ACK in time.
func (r *Result) Loss() float64 {
	if r.Started == 0 {
		return 1
	}
	return float64(r.Started-r.Done()) / float64(r.Started)
}

// Err tells of answers that no server may give.
func (r *Result) Err() error {
	if r.Wrong == 0 {
		return nil
	}
	return fmt.Errorf("%d wrong replies; the first: %s", r.Wrong, r.Complaint)
}

// Whole is the time from DISCOVER to ACK that a share of the exchanges kept
// below; Offer the same from DISCOVER to OFFER.
func (r *Result) Whole(share float64) time.Duration { return quantile(r.whole, share) }

// Offer is explained at Whole.
func (r *Result) Offer(share float64) time.Duration { return quantile(r.offers, share) }

// quantile of sorted values, by nearest rank; 0 of none.
func quantile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(share * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Sustained tells whether a server kept up with a rate: fewer than 1 % of the
// exchanges were lost, and no backlog grew that a short run would forgive.
func (r *Result) Sustained(rate float64) bool {
	return r.Loss() < 0.01 && r.Rate() >= 0.97*rate
}

// Search finds the highest rate that try accepts, between low and high, by
// halving the gap until it is a twentieth. It is 0 if none was accepted.
func Search(low, high float64, try func(rate float64) (bool, error)) (highest float64, err error) {
	for high > low*1.05 {
		middle := math.Sqrt(low * high)
		ok, err := try(middle)
		if err != nil {
			return 0, err
		}
		if ok {
			low, highest = middle, middle
		} else {
			high = middle
		}
	}
	return highest, nil
}

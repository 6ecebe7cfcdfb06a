package lease

import "time"

// Skewed reports whether clocks that differ by so much keep addresses of other
// clients from being reclaimed (S-9).
func Skewed(skew time.Duration) bool { return skew > maxSkew || skew < -maxSkew }

// Freshness returns when the snapshot was last known to agree with NetBox, and
// how far NetBox's clock was ahead of ours then. The zero time stands for a
// source that cannot go stale, or for one that was never confirmed.
func (e *Engine) Freshness() (at time.Time, skew time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.facts.Fresh, e.facts.Skew
}

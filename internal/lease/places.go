package lease

import (
	"errors"
	"sync/atomic"
)

// How many messages wait at once for the disk and for an echo. They have to
// outlast the burst after a power cut: a commit serves 256 messages within
// milliseconds, and an echo request most often takes its whole time.
const (
	DiskPlaces = 512
	EchoPlaces = 128
)

// ErrCrowded says that a message is not answered since too many others wait for
// the same slow thing (B-9).
var ErrCrowded = errors.New("too many messages wait for it already")

// Places bounds how many messages wait for one slow thing. There is no queue:
// who finds no place is not answered, so that a thing that hangs holds a known
// number of messages and no more (B-9). It is safe for concurrent use.
type Places struct {
	limit   int64
	waiting atomic.Int64
	refused atomic.Uint64
}

// NewPlaces returns that many places.
func NewPlaces(limit int) *Places { return &Places{limit: int64(limit)} }

// Take reports whether there was a place, which the caller gives back by Leave.
func (p *Places) Take() bool {
	if p.waiting.Add(1) <= p.limit {
		return true
	}
	p.waiting.Add(-1)
	p.Refuse()
	return false
}

// Refuse counts a message that is turned away for another reason than the number
// of places, such as its share of them.
func (p *Places) Refuse() { p.refused.Add(1) }

// Leave gives a place back.
func (p *Places) Leave() { p.waiting.Add(-1) }

// Waiting is how many places are taken.
func (p *Places) Waiting() int { return int(min(p.waiting.Load(), p.limit)) }

// Refused is how many messages found no place since the start.
func (p *Places) Refused() uint64 { return p.refused.Load() }

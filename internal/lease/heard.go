package lease

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// heard remembers when MACs that NetBox knows were heard last, so that a claim takes
// no address from an owner that is there (CL-8). It is kept in notes, one for all MACs
// with the same last byte, and each MAC is written once a day at most. Times are times
// of day: shift moves them when the clock is set.
type heard struct {
	began time.Time // since when it is known without a gap
	at    map[ipam.MAC]sighting
}

// sighting is when a MAC was heard, and what the store knows of it.
type sighting struct{ last, kept time.Time }

const (
	// heardNote names the note that tells since when, and until when, owners were
	// listened for; the others follow it with a slash and the last byte of the MAC.
	heardNote = "heard"
	// heardGap is how long no server may have listened.
	heardGap = 24 * time.Hour
	// keptEvery is how old what the store knows of a MAC may be.
	keptEvery = 24 * time.Hour
	// heardBytes is the length of an entry: a MAC, and hours of Unix time.
	heardBytes = 6 + 4
)

// listened is the value of heardNote.
type listened struct {
	Began time.Time `json:"began"`
	Until time.Time `json:"until"`
}

// last is when a MAC was heard last. One that was never heard counts as heard when
// this began.
func (h *heard) last(mac ipam.MAC) time.Time {
	if at := h.at[mac].last; at.After(h.began) {
		return at
	}
	return h.began
}

func (h *heard) hear(mac ipam.MAC, now time.Time) {
	s := h.at[mac]
	s.last = now.Round(0)
	h.at[mac] = s
}

// shift keeps how long ago MACs were heard where the clock was set: by its new time all
// of them could seem to be absent (S-14).
func (h *heard) shift(by time.Duration) {
	h.began = h.began.Add(by)
	for mac, s := range h.at {
		s.last = s.last.Add(by)
		h.at[mac] = s
	}
}

func heardShard(b byte) string { return fmt.Sprintf("%s/%02x", heardNote, b) }

// stale are the last bytes of MACs of which the store knows too little.
func (h *heard) stale() (last [256]bool) {
	for mac, s := range h.at {
		if s.last.Sub(s.kept) >= keptEvery {
			last[mac[5]] = true
		}
	}
	return last
}

// encode makes the notes of the MACs with the last bytes given, without those that
// were heard before a time, and counts these MACs as kept. It passes over all MACs
// once, since packets wait meanwhile.
func (h *heard) encode(last [256]bool, since time.Time) (notes [256][]byte) {
	for mac, s := range h.at {
		b := mac[5]
		if !last[b] {
			continue
		}
		if s.last.After(since) {
			notes[b] = append(notes[b], mac[:]...)
			notes[b] = binary.BigEndian.AppendUint32(notes[b], uint32(s.last.Unix()/3600)) //nolint:gosec // G115: hours until the year 490000
		}
		s.kept = s.last
		h.at[mac] = s
	}
	return notes
}

// learn takes a note in. What is in it may be as old as keptEvery, so it counts as
// that much later, but not as later than now.
func (h *heard) learn(value []byte, now time.Time) {
	for ; len(value) >= heardBytes; value = value[heardBytes:] {
		mac := ipam.MAC(value[:6])
		at := time.Unix(int64(binary.BigEndian.Uint32(value[6:]))*3600, 0).Add(time.Hour + keptEvery)
		if at.After(now) {
			at = now
		}
		if s := h.at[mac]; at.After(s.last) {
			h.at[mac] = sighting{last: at, kept: at}
		}
	}
}

// attachHeard learns from the notes when owners were heard. Where no server listened for
// longer than heardGap, all of them may have been there meanwhile. The lock is held.
func (e *Engine) attachHeard() {
	if len(e.config.Policy.Claims.Prefixes) == 0 {
		return
	}
	h, now := &e.facts.Leases.heard, e.config.Now().Round(0)
	var before listened
	if json.Unmarshal(e.notes[heardNote], &before) == nil && !before.Began.IsZero() &&
		now.Sub(before.Until) < heardGap && before.Began.Before(h.began) && !before.Until.After(now.Add(heardGap)) {
		h.began = before.Began
	}
	for b := range 256 {
		h.learn(e.notes[heardShard(byte(b))], now)
	}
}

// KeepHeard makes durable which owners of addresses were heard, for claims (CL-8). It
// is to be called every few minutes, and at the end. Without a store, and where claims
// count nowhere, it does nothing.
func (e *Engine) KeepHeard(ctx context.Context) error {
	values := make(map[string][]byte)
	e.locked(func() {
		if e.store == nil || len(e.config.Policy.Claims.Prefixes) == 0 {
			return
		}
		h, now := &e.facts.Leases.heard, e.config.Now()
		stale := h.stale()
		for b, note := range h.encode(stale, now.Add(-e.config.Policy.Claims.Idle-keptEvery)) {
			if stale[b] {
				values[heardShard(byte(b))] = note
			}
		}
		until, err := json.Marshal(listened{h.began, now})
		if err == nil {
			values[heardNote] = until
		}
	})
	for name, value := range values {
		if err := e.SetNote(ctx, name, value); err != nil {
			return fmt.Errorf("keep which owners were heard: %w", err)
		}
	}
	return nil
}

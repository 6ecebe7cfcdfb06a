package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// backupNote is the name of the note of a store that was restored from a backup. It is
// written with the leases, before the store has its place.
const backupNote = "store was restored from a backup"

// backup is the text of the note.
type backup struct {
	Taken    time.Time `json:"taken"`    // when the backup was made
	Restored time.Time `json:"restored"` // when it became the store
	// Judged says that it is noted until when the store may lack leases (H-6).
	Judged bool `json:"judged"`
	// Settled says that NetBox was asked since whether other clients lease now what the
	// backup shows as running (C-32).
	Settled bool `json:"settled"`
}

// RestoredNotes are the notes of a store that is restored at a time from a backup with
// these notes: such a store lacks what was leased since (C-32).
func RestoredNotes(notes map[string][]byte, taken, restored time.Time) (map[string][]byte, error) {
	text, err := json.Marshal(backup{Taken: taken.UTC(), Restored: restored.UTC()})
	if err != nil {
		return nil, err
	}
	next := make(map[string][]byte)
	maps.Copy(next, notes)
	delete(next, youngNote)
	next[backupNote] = text
	return next, nil
}

// Age is what notes tell of how complete the leases of a store are.
type Age struct {
	// Taken and Restored are zero for a store that no backup was restored to.
	Taken, Restored time.Time
	// Unjudged says that no snapshot has told yet whether the store lacks leases: it is
	// empty, or was restored, and no server has served from it since.
	Unjudged bool
	// YoungUntil is until when the store may lack leases that still run (H-6).
	YoungUntil time.Time
}

// AgeOf reads the notes of a store that holds leases, or does not.
func AgeOf(notes map[string][]byte, leases bool) Age {
	b, fromBackup := backupOf(notes)
	note, judged := notes[youngNote]
	until, _ := time.Parse(time.RFC3339, string(note)) // what cannot be read says nothing
	return Age{Taken: b.Taken, Restored: b.Restored, YoungUntil: until, Unjudged: fromBackup && !b.Judged || !judged && !leases}
}

// backupOf reads the note of a restored store. One that cannot be read says that
// nothing was done about it yet.
func backupOf(notes map[string][]byte) (b backup, there bool) {
	text := notes[backupNote]
	if text == nil {
		return backup{}, false
	}
	if json.Unmarshal(text, &b) != nil {
		b = backup{}
	}
	return b, true
}

// restoredNow reports whether the store was restored and no server has served from it
// since. The lock must be held.
func (e *Engine) restoredNow() bool {
	b, there := backupOf(e.notes)
	return there && !b.Judged
}

// markBackup notes what was done about a restored store.
func (e *Engine) markBackup(ctx context.Context, store Store, mark func(*backup)) error {
	e.mu.Lock()
	b, there := backupOf(e.notes)
	e.mu.Unlock()
	if !there {
		return nil
	}
	mark(&b)
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return e.noteIn(ctx, store, backupNote, text)
}

// judgedBackup notes that a restored store was judged, and says so: operators wonder
// why new clients wait.
func (e *Engine) judgedBackup(ctx context.Context, store Store, until time.Time) error {
	e.mu.Lock()
	b, there := backupOf(e.notes)
	e.mu.Unlock()
	if !there || b.Judged {
		return nil
	}
	err := e.markBackup(ctx, store, func(b *backup) { b.Judged = true })
	if err == nil {
		e.config.Log.WithFields(logrus.Fields{"backup": b.Taken.Format(time.RFC3339), "until": until.Format(time.RFC3339)}).
			Warn("the lease store was restored from a backup: until then addresses are probed before new clients get them")
	}
	return err
}

// supersedeBeside is supersede for a snapshot that agreed with NetBox at the time given, if
// that is due. What fails is tried with the next one.
func (e *Engine) supersedeBeside(confirmed time.Time) {
	e.mu.Lock()
	b, there := backupOf(e.notes)
	store, s := e.store, e.facts.Snapshot
	due := there && b.Judged && !b.Settled && !e.settling && confirmed.After(b.Restored) && store != nil && s != nil
	e.settling = e.settling || due
	e.mu.Unlock()
	if !due {
		return
	}
	e.beside.Go(func() {
		err := e.supersede(context.Background(), store, s)
		e.locked(func() { e.settling = false })
		if err != nil {
			e.config.Log.WithError(err).Warn("the restored lease store cannot be given the leases that NetBox shows since the backup; it is tried again")
		}
	})
}

// supersede ends the leases of a restored store whose addresses other clients lease by
// NetBox, in rows that changed since: they were given up after the backup, and NetBox
// counts (C-32).
func (e *Engine) supersede(ctx context.Context, store Store, s *ipam.Snapshot) error {
	for some := range slices.Chunk(e.superseded(s), writesAtOnce) {
		for i, err := range store.CommitGroup(ctx, some) {
			switch {
			case errors.Is(err, ErrConflict): // a message of its client was faster
			case err != nil:
				return fmt.Errorf("store what NetBox shows of %s: %w", some[i].Next.Addr, err)
			default:
				e.locked(func() { e.learn(some[i].Next, some[i].Expected+1) })
			}
		}
	}
	return e.markBackup(ctx, store, func(b *backup) { b.Settled = true })
}

// superseded are the changes that supersede makes. Where clients are told by identifiers,
// which NetBox does not show, the lease ends and the record counts by itself (I-13).
func (e *Engine) superseded(s *ipam.Snapshot) (changes []Change) {
	shown := recordedLeases(s)
	addrs := slices.SortedFunc(maps.Keys(shown), netip.Addr.Compare)
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.judged(e.config.Now())
	for _, addr := range addrs {
		known, ok := e.facts.Leases.stored.find(addr)
		next := shown[addr]
		runs := ok && known.State != Released && known.Expires.After(now)
		if !runs || !next.Expires.After(now) || next.State == Released || !known.Foreign(next.Client, next.ToldExpires, next.SyncedAt) {
			continue
		}
		if e.config.Policy.ByIdentifier {
			next = known.Lease
			next.State, next.Expires, next.Unsynced = Released, seconds(now), false
		}
		changes = append(changes, Change{next, known.revision})
	}
	return changes
}

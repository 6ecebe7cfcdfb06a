package lease

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
)

// A note is what the engine has to know after a restart beside the leases, such
// as a ban on giving ended leases to others. Notes are in memory, and in the
// store as soon as there is one.

// Note returns what was noted under name, nil for nothing. The caller must not
// change it.
func (e *Engine) Note(name string) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.notes[name]
}

// SetNote keeps value under name, nil removes the note. It counts at once. An
// error says that it may not outlive a restart; Attach writes it again.
func (e *Engine) SetNote(ctx context.Context, name string, value []byte) error {
	return e.noteIn(ctx, e.current(), name, slices.Clone(value))
}

// noteIn is SetNote for a store that the engine is about to have. value must not
// change afterwards.
func (e *Engine) noteIn(ctx context.Context, store Store, name string, value []byte) error {
	if err := CheckNote(name, value); err != nil {
		return err
	}
	e.locked(func() { e.notes[name], e.unsaved[name] = value, true })
	return e.saveNote(ctx, store, name)
}

// saveNote makes durable what is noted under name.
func (e *Engine) saveNote(ctx context.Context, store Store, name string) error {
	e.noting.Lock() // the store must see the values of one name in order
	defer e.noting.Unlock()
	value := e.Note(name)
	if err := store.SetNote(ctx, name, value); err != nil {
		return fmt.Errorf("keep note: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.notes[name]
	if (now == nil) != (value == nil) || !bytes.Equal(now, value) {
		return nil // changed meanwhile: its own write follows
	}
	delete(e.unsaved, name)
	if value == nil {
		delete(e.notes, name)
	}
	return nil
}

// attachNotes learns the notes that a store holds, and gives it those that it lacks:
// what was noted while there was none, or another one.
func (e *Engine) attachNotes(ctx context.Context, store Store, held map[string][]byte) error {
	e.mu.Lock()
	for name, value := range held {
		if _, known := e.notes[name]; !known {
			e.notes[name] = value
		}
	}
	var missing []string
	for name := range maps.Keys(e.notes) {
		if value, there := held[name]; e.unsaved[name] || !there || !bytes.Equal(value, e.notes[name]) {
			missing = append(missing, name)
		}
	}
	e.mu.Unlock()
	for _, name := range missing {
		if err := e.saveNote(ctx, store, name); err != nil {
			return err
		}
	}
	return nil
}

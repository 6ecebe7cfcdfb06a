package pebblestore

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestADamagedNoteIsNoticed(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, vfs.Default)
	good := (&note{text: []byte("x")}).value([]byte("nb"))
	for name, value := range map[string][]byte{"a flipped byte": flip(good), "another name's": good, "nothing": {}} {
		if err := s.db.Set([]byte("na"), value, pebble.Sync); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Notes(t.Context()); !errors.Is(err, errCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzNote(f *testing.F) {
	f.Add([]byte("na"), (&note{text: []byte("x")}).value([]byte("na")))
	f.Add([]byte("n"), []byte{})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if len(key) == 0 {
			return
		}
		_, text, err := decodeNote(key, value)
		if err != nil {
			return
		}
		if again := (&note{text: text}).value(key); string(again) != string(value) {
			t.Errorf("%x was read and is written as %x", value, again)
		}
	})
}

func flip(b []byte) []byte {
	b = append([]byte{}, b...)
	b[0] ^= 1
	return b
}

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
	good := encodeNote([]byte("nb"), []byte("x"))
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
	f.Add([]byte("na"), encodeNote([]byte("na"), []byte("x")))
	f.Add([]byte("n"), []byte{})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if len(key) == 0 {
			return
		}
		_, text, err := decodeNote(key, value)
		if err != nil {
			return
		}
		if again := encodeNote(key, text); string(again) != string(value) {
			t.Errorf("%x was read and is written as %x", value, again)
		}
	})
}

func flip(b []byte) []byte {
	b = append([]byte{}, b...)
	b[0] ^= 1
	return b
}

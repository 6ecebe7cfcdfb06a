package leasetest

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

func mustNote(t *testing.T, s lease.Store, name string, value []byte) {
	t.Helper()
	if err := s.SetNote(t.Context(), name, value); err != nil {
		t.Fatal(err)
	}
}

func checkNotes(t *testing.T, s lease.Store, want map[string][]byte) {
	t.Helper()
	got, err := s.Notes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}

func testNotes(t *testing.T, open OpenFunc) {
	dir := t.TempDir()
	s := openAt(t, open, dir)
	checkNotes(t, s, map[string][]byte{})
	long := bytes.Repeat([]byte{0, 0xff}, lease.MaxNoteValue/2)
	want := map[string][]byte{"a": []byte("1"), "a/b": {}, "\x00\xff": {0}, strings.Repeat("n", lease.MaxNoteName): long}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		mustNote(t, s, name, []byte("before"))
		mustNote(t, s, name, want[name])
	}
	mustNote(t, s, "gone", []byte("x"))
	mustNote(t, s, "gone", nil)
	mustNote(t, s, "never", nil)
	checkNotes(t, s, want)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	checkNotes(t, openAt(t, open, dir), want)
}

func testRefusedNote(t *testing.T, open OpenFunc) {
	s := start(t, open)
	for name, value := range map[string][]byte{
		"": []byte("x"), strings.Repeat("n", lease.MaxNoteName+1): []byte("x"), "long": make([]byte, lease.MaxNoteValue+1),
	} {
		if s.SetNote(t.Context(), name, value) == nil {
			t.Errorf("a name of %d bytes with a value of %d bytes was accepted", len(name), len(value))
		}
	}
	checkNotes(t, s, map[string][]byte{})
}

func testNotesApart(t *testing.T, open OpenFunc) {
	s := start(t, open)
	put(t, s, sample(host(1), 1), 0)
	for _, name := range []string{"l", "l\x04\x0a\x00\x00\x01", "format"} {
		mustNote(t, s, name, []byte("x"))
	}
	if got := all(t, s); len(got) != 1 {
		t.Errorf("leases: %v", got)
	}
	checkNotes(t, s, map[string][]byte{"l": []byte("x"), "l\x04\x0a\x00\x00\x01": []byte("x"), "format": []byte("x")})
}

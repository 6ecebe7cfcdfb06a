package lease

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// newNoter returns an engine without a store (H-5).
func newNoter(t *testing.T) *Engine {
	t.Helper()
	e, err := NewEngine(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestNotesCountAtOnceAndReachAStoreThatComesLater(t *testing.T) {
	e := newNoter(t)
	for name, value := range map[string][]byte{"a": []byte("1"), "b": []byte("2"), "c": nil} {
		if err := e.SetNote(t.Context(), name, value); !errors.Is(err, ErrNoStore) {
			t.Fatalf("note %s without a store: %v", name, err)
		}
	}
	if string(e.Note("a")) != "1" {
		t.Errorf("a is %q", e.Note("a"))
	}
	store := newMemStore()
	store.notes = map[string][]byte{"a": []byte("old"), "c": []byte("removed meanwhile"), "d": []byte("kept")}
	if err := e.Attach(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{"a": []byte("1"), "b": []byte("2"), "d": []byte("kept")}
	if diff := cmp.Diff(want, store.notes); diff != "" {
		t.Errorf("store (-want +got):\n%s", diff)
	}
	if e.Note("c") != nil || string(e.Note("d")) != "kept" {
		t.Errorf("c is %q, d is %q", e.Note("c"), e.Note("d"))
	}
}

func TestANoteThatWasNotKeptIsGivenToTheNextStore(t *testing.T) {
	e := newNoter(t)
	first := newMemStore()
	if err := e.Attach(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if err := e.SetNote(t.Context(), "saved", []byte("1")); err != nil {
		t.Fatal(err)
	}
	first.noting = errors.New("disk full")
	if e.SetNote(t.Context(), "unsaved", []byte("2")) == nil {
		t.Fatal("a write that failed gave no error")
	}
	e.Detach()
	second := newMemStore() // an empty folder after the old one was moved away
	if err := e.Attach(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{"saved": []byte("1"), "unsaved": []byte("2")}
	if diff := cmp.Diff(want, second.notes); diff != "" {
		t.Errorf("store (-want +got):\n%s", diff)
	}
}

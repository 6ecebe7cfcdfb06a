package ipam

import (
	"slices"
	"testing"
	"unsafe"
)

func TestEqualTextsAndListsAreShared(t *testing.T) {
	var s Sharer
	text := func() string { return string([]byte("active")) }
	if a, b := s.Text(text()), s.Text(text()); a != "active" || unsafe.StringData(a) != unsafe.StringData(b) {
		t.Errorf("%q and %q are two copies", a, b)
	}
	if got := s.Text("dhcp"); got != "dhcp" {
		t.Errorf("got %q", got)
	}
	for _, list := range [][]int64{nil, {}, {0}, {1}, {1, 0}, {0, 1}, {1, 2, 3, 4}, {1, 2, 3, 4, 5}} {
		a, b := s.IDs(slices.Clone(list)), s.IDs(slices.Clone(list))
		if !slices.Equal(a, list) || (a == nil) != (list == nil) {
			t.Errorf("%v became %v", list, a)
		}
		if short := len(list) > 0 && len(list) < 5; short && &a[0] != &b[0] {
			t.Errorf("%v has two copies", list)
		}
	}
}

package windhcp

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rule 4, Option library, and 9 row 6.
func TestTheOptionLibraryHasTheSeventyOneBuiltInCodes(t *testing.T) {
	var want []int
	for _, span := range [][2]int{{1, 49}, {51, 51}, {54, 54}, {58, 60}, {64, 76}, {119, 119}, {121, 121}, {249, 249}, {252, 252}} {
		for code := span[0]; code <= span[1]; code++ {
			want = append(want, code)
		}
	}
	types := []string{"String", "IPAddress", "IPAddressList", "DWORD", "DWORD DWORD", "Binary", "Encapsulated", "IPv6Address"}
	var have []int
	names := make(map[string]int)
	for _, o := range BuiltInOptions() {
		have = append(have, o.Code)
		if !slices.Contains(types, o.Type) {
			t.Errorf("option %d: type %q is none of the library's", o.Code, o.Type)
		}
		if other, ok := names[o.Name]; ok || o.Name == "" {
			t.Errorf("option %d: name %q is empty or that of option %d too", o.Code, o.Name, other)
		}
		names[o.Name] = o.Code
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("codes (-want +have):\n%s", diff)
	}
	if len(have) != 71 {
		t.Errorf("%d definitions, want 71", len(have))
	}
}

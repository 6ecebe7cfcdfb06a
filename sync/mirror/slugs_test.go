package mirror

import (
	"slices"
	"testing"
)

// 4 step 6, N-14: the settings name tags and roles by name or slug.
func TestSlugsOfNames(t *testing.T) {
	for name, want := range map[string]string{"DHCP": "dhcp", "Phone pool": "phone-pool", "phone-pool": "phone-pool", "Pool (WLAN)": "pool-wlan", "a_b": "a_b"} {
		if got := slugsOf(name); !slices.Contains(got, want) {
			t.Errorf("%q: %v, want %s", name, got, want)
		}
	}
}

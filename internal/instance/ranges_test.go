package instance

import (
	"slices"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// S-17: check says how long NetBox takes where objects are made, and only there.
func TestHowLongObjectsTakeIsSaid(t *testing.T) {
	for mode, want := range map[string]bool{"existing": false, "leased": true, "none": false} {
		s := settings.Defaults()
		s.Dynamic.WriteBack = mode
		if got := AboutObjects(s); strings.Contains(got, "shown after 20 s") != want || (got != "") != want {
			t.Errorf("%s: %q", mode, got)
		}
		s.Inventory = "lab.yml"
		if got := AboutObjects(s); got != "" {
			t.Errorf("%s with an inventory: %q", mode, got)
		}
	}
}

// N-14: the settings' roles reach the snapshot.
func TestRolesOfTheSettings(t *testing.T) {
	s := settings.Defaults()
	s.Dynamic.Roles = []string{"phones"}
	if got := options(s).DynamicRoles; !slices.Equal(got, s.Dynamic.Roles) {
		t.Errorf("roles %v", got)
	}
}

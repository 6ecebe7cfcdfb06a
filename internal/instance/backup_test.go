package instance

import (
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease/backup"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// C-31: the settings and a backup are of one NetBox, or of two; a backup that says
// nothing is of any.
func TestABackupOfAnotherNetBoxIsTold(t *testing.T) {
	of := func(url, inventory string) settings.NetBox { return settings.NetBox{URL: url, Inventory: inventory} }
	for name, c := range map[string]struct {
		now  settings.NetBox
		of   backup.Header
		want bool
	}{
		"the same":               {of("https://netbox.example.org/", ""), backup.Header{NetBox: "https://netbox.example.org"}, false},
		"another":                {of("https://netbox.example.org", ""), backup.Header{NetBox: "https://netbox.example.com"}, true},
		"an inventory":           {of("https://netbox.example.org", ""), backup.Header{Inventory: "inventory.yml"}, true},
		"of NetBox":              {of("", "inventory.yml"), backup.Header{NetBox: "https://netbox.example.org"}, true},
		"an inventory elsewhere": {of("", "inventory.yml"), backup.Header{Inventory: "/etc/inventory.yml"}, false},
		"nobody knows":           {of("https://netbox.example.org", ""), backup.Header{}, false},
	} {
		if got := OtherNetBox(c.now, c.of); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestLeasesAreCountedByState(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	leases := []lease.Lease{
		{State: lease.Bound, Expires: now.Add(time.Second), Unsynced: true},
		{State: lease.Bound, Expires: now},
		{State: lease.Released, Expires: now.Add(-time.Hour)},
		{State: lease.Quarantined, Expires: now.Add(time.Hour)},
	}
	if got, want := Count(leases, now), (Counts{Leases: 4, Running: 1, Ended: 2, Quarantined: 1, Untold: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

package launch

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// P-17, B-4: check repeats what the server found wrong with NetBox's data.
func TestCheckListsWhatTheServerFoundWrongWithTheData(t *testing.T) {
	dir := t.TempDir()
	s := settings.NetBox{Dynamic: settings.Dynamic{Tag: "DHCP"}, Store: settings.Store{Path: dir}}
	var out strings.Builder
	if storedProblems(&out, s); out.Len() != 0 {
		t.Errorf("before the server ran: %q", out.String())
	}
	o := &ipam.Objects{Tags: map[int64]*ipam.Tag{1: {ID: 1, Name: "DHCP", Slug: "dhcp"}}, Addresses: make(map[int64]*ipam.Address)}
	for id := int64(1); id <= shownProblems+5; id++ {
		o.Addresses[id] = &ipam.Address{ID: id, Address: netip.MustParsePrefix(fmt.Sprintf("10.0.0.%d/24", id)), Status: "active", Tags: []int64{1},
			Record: ipam.Record{Client: "52:54:00:00:00:01", Unreadable: true}}
	}
	taken := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := ipam.WriteDiskFile(filepath.Join(dir, "netbox.snapshot"), ipam.Disk{URL: "https://netbox.example.org", Taken: taken, Objects: o}); err != nil {
		t.Fatal(err)
	}
	storedProblems(&out, s)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != shownProblems+1 || !strings.Contains(lines[0], "warning  IP address 10.0.0.1/24 (id 1): its record has the client") ||
		!strings.Contains(lines[0], "(as of 2026-01-02T03:04:05Z)") || !strings.Contains(lines[shownProblems], "and 5 more problems") {
		t.Errorf("got\n%s", out.String())
	}
	out.Reset()
	s.Store.Path = "/dev/null" // no folder
	if storedProblems(&out, s); !strings.Contains(out.String(), "cannot be read") {
		t.Errorf("unreadable: %q", out.String())
	}
}

package follow

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// P-17: an expiry that is no time is told once with the address, the client and
// the text, again when the text changes, and no more when it is right.
func TestAnExpiryThatIsNoTimeIsToldWithItsText(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	// A field of type text takes any expiry.
	w := follow(t, s, s.TokenV2(), func(c *Config) { c.Fields = Fields{MAC: "pydhcp_mac", Expire: "pydhcp_hostname"} })
	w.must(t)
	id := seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24")
	write := func(client, expiry any) []string {
		t.Helper()
		s.Edit(t, "ipam/ip-addresses", id, map[string]any{"custom_fields": map[string]any{"pydhcp_mac": client, "pydhcp_hostname": expiry}})
		w.logged.Reset()
		w.must(t)
		w.must(t)
		var told []string
		for _, e := range w.logged.AllEntries() {
			if object, _ := e.Data["object"].(string); strings.HasPrefix(object, "IP address 10.0.0.100/24") {
				told = append(told, e.Level.String()+" "+e.Data["reason"].(string))
			}
		}
		return told
	}
	for _, c := range []struct {
		name           string
		client, expiry any
		want           string // in the only line; empty: no line
	}{
		{"words", "52:54:00:00:00:77", "until further notice", `warning its record has the client "52:54:00:00:00:77" and the expiry "until further notice", which is no time`},
		{"other words", "52:54:00:00:00:77", "tomorrow\x1b[2J", `and the expiry "tomorrow\x1b[2J", which`},
		{"a time", "52:54:00:00:00:77", "2026-01-02T03:04:05Z", ""},
		{"words without a client, which keep nothing", nil, "soon", ""},
		{"nothing", nil, nil, ""},
	} {
		told := write(c.client, c.expiry)
		if c.want == "" && len(told) != 0 || c.want != "" && (len(told) != 1 || !strings.Contains(told[0], c.want)) {
			t.Errorf("%s: told %q, want %q", c.name, told, c.want)
		}
	}
}

// A row that was not read since the start is told without its text.
func TestAnExpiryOfTheDiskCopyIsToldWithoutItsText(t *testing.T) {
	o := &ipam.Objects{
		Tags: map[int64]*ipam.Tag{1: {ID: 1, Name: "DHCP", Slug: "dhcp"}},
		Addresses: map[int64]*ipam.Address{
			7: {ID: 7, Address: netip.MustParsePrefix("10.0.0.7/24"), Status: "active", Tags: []int64{1}, Record: ipam.Record{Client: "52:54:00:00:00:01", Unreadable: true}},
			8: {ID: 8, Address: netip.MustParsePrefix("10.0.0.8/24"), Status: "active", Record: ipam.Record{Client: "52:54:00:00:00:01", Unreadable: true}}, // not dynamic
		},
	}
	_, problems := ipam.Build(o, ipam.Options{DynamicTag: "DHCP"})
	if len(problems) != 1 || !strings.Contains(problems[0].String(), "IP address 10.0.0.7/24 (id 7): its record has the client \"52:54:00:00:00:01\" and an expiry that is no time") {
		t.Errorf("got %v", problems)
	}
}

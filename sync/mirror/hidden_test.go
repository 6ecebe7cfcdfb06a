package mirror_test

import (
	"fmt"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
)

// rules 3.7 guard m and 5.4: a token that suddenly sees fewer addresses makes none of
// the others again, where NetBox would take copies, and deletes none on a server. When
// it sees all again the mirror goes on.
func TestATokenThatSeesLessMakesNothingTwiceAndDeletesNothing(t *testing.T) {
	const narrow, settings = "mirror00000000000000000000000000000000000", "sync_ips_from_dhcp: true\npush_reservations: true\npush: {delete_removed: true}\n"
	for _, c := range []struct {
		name  string
		grant func(seen []int64) netboxtest.Grant
	}{
		{"of the addresses it may see a few", func(seen []int64) netboxtest.Grant {
			return netboxtest.Grant{Object: "ipam.ipaddress", Actions: []string{"view"}, IDs: seen}
		}},
		{"of those with a tag that none has", func([]int64) netboxtest.Grant {
			return netboxtest.Grant{Object: "ipam.ipaddress", Actions: []string{"view"}, Tag: "mine"}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			box := netboxtest.New(t, netboxtest.Config{DuplicatesLegal: true})
			l, m := imported(t, mirrortest.Target{URL: box.URL(), Token: box.TokenV1()}, netboxtest.World{}, settings)
			editOffice(l, func(s *psutest.Scope) {
				for i := range 8 {
					s.Leases = append(s.Leases, &psutest.Lease{IP: fmt.Sprintf("10.8.4.%d", 130+i), ClientID: fmt.Sprintf("02-00-5e-10-00-%02x", i)})
				}
			})
			for range 2 { // the second sees what the first made
				run(t, m, mirror.Options{})
			}
			all := l.Get("ipam/ip-addresses", "")
			var seen []int64
			for _, row := range all[:2] {
				seen = append(seen, int64(row["id"].(float64)))
			}
			grants := []netboxtest.Grant{{Object: "ipam.ipaddress", Actions: []string{"add", "change", "delete"}}}
			for _, object := range []string{"ipam.vrf", "ipam.prefix", "ipam.iprange", "ipam.role", "extras.tag", "extras.configcontext", "extras.customfield", "extras.journalentry", "core.objectchange"} {
				grants = append(grants, netboxtest.Grant{Object: object})
			}
			box.Permit(narrow, append(grants, c.grant(seen))...)
			l.File("netbox.token", narrow)
			m = l.OpenUnprepared(settings, nil)
			l.Servers[0].ForgetRequests()
			for range 3 {
				r, err := m.Sync(t.Context(), mirror.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if r.Outcome.ExitCode() != 4 || !noted(r.Plan, "the token may not see all") {
					t.Errorf("exit code %d: %s", r.Outcome.ExitCode(), r.Summary)
				}
			}
			if n := len(l.Get("ipam/ip-addresses", "")); n != len(all) {
				t.Errorf("%d addresses, want %d", n, len(all))
			}
			for _, r := range l.Servers[0].Requests() {
				if r.Method == "DELETE" {
					t.Errorf("%s %s", r.Method, r.Path)
				}
			}
			l.File("netbox.token", box.TokenV1())
			settled(t, l, l.OpenUnprepared(settings, nil))
		})
	}
}

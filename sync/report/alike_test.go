package report

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// rule 3.8 point 23.
func TestEqualNotesAreOneLineWithACount(t *testing.T) {
	lab, guest := netip.MustParsePrefix("10.8.4.0/24"), netip.MustParsePrefix("10.8.6.0/25")
	of := func(server string, scope netip.Prefix, addr string) plan.Note {
		n := plan.Note{Level: plan.Warning, Server: server, Scope: scope, Rule: "3.8 point 23", Text: "taken over"}
		if addr != "" {
			n.Addr = netip.MustParseAddr(addr)
		}
		return n
	}
	var many []plan.Note
	for i := range 25 {
		many = append(many, of("dh1", lab, fmt.Sprintf("10.8.4.%d", 100+i)))
	}
	other := many[0]
	other.Text = "something else"
	graver := many[0]
	graver.Level = plan.Conflict
	for name, c := range map[string]struct {
		notes []plan.Note
		want  string
	}{
		"one":                {many[:1], "dh1 10.8.4.0/24 10.8.4.100: taken over [3.8 point 23]"},
		"two":                {many[:2], "dh1 10.8.4.0/24 10.8.4.100, 10.8.4.101: taken over [3.8 point 23]"},
		"three":              {many[:3], "dh1 10.8.4.0/24 10.8.4.100, 10.8.4.101, 10.8.4.102: taken over [3.8 point 23]"},
		"many":               {many, "dh1 10.8.4.0/24 10.8.4.100, 10.8.4.101, 10.8.4.102 and 22 more: taken over [3.8 point 23]"},
		"of two scopes":      {[]plan.Note{of("dh1", lab, ""), of("dh1", guest, "")}, "dh1 10.8.4.0/24, 10.8.6.0/25: taken over [3.8 point 23]"},
		"of two servers":     {[]plan.Note{of("dh1", lab, ""), of("dh2", guest, "")}, "dh1 10.8.4.0/24, dh2 10.8.6.0/25: taken over [3.8 point 23]"},
		"of one place":       {[]plan.Note{of("dh1", lab, ""), of("dh1", lab, "")}, "dh1 10.8.4.0/24 (2 times): taken over [3.8 point 23]"},
		"of no place":        {[]plan.Note{of("", netip.Prefix{}, ""), of("", netip.Prefix{}, "")}, "(2 times): taken over [3.8 point 23]"},
		"another in between": {[]plan.Note{many[0], other, many[1]}, "dh1 10.8.4.0/24 10.8.4.100, 10.8.4.101: taken over [3.8 point 23]\n  ! dh1 10.8.4.0/24 10.8.4.100: something else [3.8 point 23]"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &plan.Plan{Notes: c.notes}
			if got := string(rendered(t, p, TextOptions{})); !strings.Contains(got, "Warnings\n  ! "+c.want+"\n") {
				t.Errorf("got\n%swant\n  ! %s", got, c.want)
			}
			if got := string(rendered(t, p, TextOptions{Verbose: true})); strings.Count(got, "  ! ") != len(c.notes) {
				t.Errorf("with everything asked for:\n%s", got)
			}
		})
	}
	if got := string(rendered(t, &plan.Plan{Notes: []plan.Note{many[0], graver}}, TextOptions{})); strings.Count(got, "  ! ") != 2 {
		t.Errorf("notes of two levels:\n%s", got)
	}
}

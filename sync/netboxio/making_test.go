package netboxio

import (
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// rule 3.8 point 24: a request is noted before it is sent, and until its outcome
// is known.
func TestWhatIsAboutToBeMadeIsNoted(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault *netboxtest.Fault
		left  bool
	}{
		{"made", nil, false},
		{"refused by a firewall", &netboxtest.Fault{Kind: netboxtest.Blocked403, Method: "POST"}, false},
		{"not allowed", &netboxtest.Fault{Kind: netboxtest.Forbidden403, Method: "POST"}, false},
		{"dropped each time", &netboxtest.Fault{Kind: netboxtest.Reset, Method: "POST"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, _, client := serveScopes(t, netboxtest.V47)
			if c.fault != nil {
				s.Fail(*c.fault)
			}
			var noted *Making
			sent := 0
			ApplyNoting(t.Context(), client, []Write{newAddress("10.8.4.50/24", 0)}, nil, func(m *Making) {
				noted = m
				if m != nil {
					sent++
					if m.Value != "10.8.4.50" || m.Sent.IsZero() {
						t.Errorf("noted %+v", m)
					}
				}
			})
			if n := len(s.Writes()); sent != n || n == 0 {
				t.Errorf("%d notes for %d writes", sent, n)
			}
			if (noted != nil) != c.left {
				t.Errorf("noted at the end: %+v", noted)
			}
		})
	}
}

func TestARequestOfLongAgoIsNotWaitedFor(t *testing.T) {
	s, _, client := serveScopes(t, netboxtest.V47)
	s.Down()
	m := Making{Kind: "ipam.ipaddress", Value: "10.8.4.50", Key: "10.8.4.50 0", Sent: time.Now().Add(-longestWork)}
	if err := m.Await(t.Context(), client, time.Hour); err != nil {
		t.Error(err)
	}
}

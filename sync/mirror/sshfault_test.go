package mirror_test

import (
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/sshtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// twoOverSSH is a lab of two servers behind OpenSSH that is in step.
func twoOverSSH(t *testing.T) (*mirrortest.Lab, []*sshtest.Server, *mirror.Mirror) {
	t.Helper()
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	l.Add(psutest.Example("dh1.corp.example"))
	l.Add(psutest.World{Scopes: []*psutest.Scope{{ID: "10.20.0.0", Mask: "255.255.255.0", Name: "Hall", Start: "10.20.0.10", End: "10.20.0.99", LeaseSeconds: 3600}}})
	var doors []*sshtest.Server
	way := l.OverSSH(func(tb testing.TB, c sshtest.Config) *sshtest.Server {
		doors = append(doors, sshtest.New(tb, c))
		return doors[len(doors)-1]
	})
	for _, s := range l.Servers {
		s.Configure(func(c *psutest.Config) { c.Script = psutest.Own })
	}
	m := l.Open(everything+"psu: {timeout: 2s}\n", way)
	run(t, m, mirror.Options{Mode: plan.Import})
	run(t, m, mirror.Options{})
	run(t, m, mirror.Options{})
	return l, doors, m
}

// rules 13.2, 3.8 and 5.2: whatever goes wrong with the sessions of one server, nothing of it
// is deleted in NetBox, nothing is written to it twice, and the other server goes on.
func TestASessionThatFailsCostsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		fault sshtest.Fault
		spoil func(*testing.T, *sshtest.Server)
	}{
		"a read cut in its reply": {fault: sshtest.Fault{Method: "GET", Kind: sshtest.CutReply}},
		"every read cut before":   {fault: sshtest.Fault{Method: "GET", Kind: sshtest.CutBefore, Connection: true}},
		"leases are silent":       {fault: sshtest.Fault{Path: "leases", Kind: sshtest.Silent}},
		"another id":              {fault: sshtest.Fault{Kind: sshtest.WrongID}},
		"noise without an end":    {fault: sshtest.Fault{Kind: sshtest.Noise, Text: strings.Repeat("x", 1<<20)}},
		"a reply that never ends": {fault: sshtest.Fault{Path: "reservations", Kind: sshtest.Trickle}},
		"no greeting":             {fault: sshtest.Fault{Method: sshtest.Opening, Path: "hello", Kind: sshtest.Silent}},
		"a greeting cut off":      {fault: sshtest.Fault{Method: sshtest.Opening, Path: "hello", Kind: sshtest.CutReply}},
		"another host key":        {spoil: func(t *testing.T, s *sshtest.Server) { s.NewHostKeys(t) }},
		"the key is refused":      {spoil: func(t *testing.T, s *sshtest.Server) { s.Refuse(t, true) }},
		"the server is gone":      {spoil: func(_ *testing.T, s *sshtest.Server) { s.Stop() }},
		"constrained language mode": {spoil: func(_ *testing.T, s *sshtest.Server) {
			s.Configure(func(c *sshtest.Shell) { c.Mode = "ConstrainedLanguage" })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, doors, m := twoOverSSH(t)
			before := len(l.Get("ipam/ip-addresses", ""))
			l.Servers[1].Edit(func(w *psutest.World) {
				hall := w.Scope("10.20.0.0")
				hall.Reservations = append(hall.Reservations, &psutest.Reservation{IP: "10.20.0.50", ClientID: "aa-bb-cc-00-00-50", Name: "kiosk"})
			})
			if c.spoil != nil {
				c.spoil(t, doors[0])
			} else {
				doors[0].Fail(c.fault)
			}
			l.Servers[0].ForgetRequests()
			r, err := m.Sync(t.Context(), mirror.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if r.Outcome == mirror.Clean {
				t.Error("the run is called clean")
			}
			if now := len(l.Get("ipam/ip-addresses", "")); now != before+1 {
				t.Errorf("%d addresses became %d, want one more, of the other server", before, now)
			}
			if l.Address("10.20.0.50") == nil {
				t.Error("the other server was not mirrored")
			}
			if writes := l.Servers[0].Writes(); len(writes) > 0 {
				t.Errorf("written to: %v", writes)
			}
		})
	}
}

// rules 13.2 and 5.2: a write whose fate is unknown is read back, and made again only where
// it was not carried out.
func TestAWriteThatIsCutIsNotMadeTwice(t *testing.T) {
	for name, kind := range map[string]sshtest.FaultKind{
		"before it was carried out": sshtest.CutBefore, "after it was carried out": sshtest.CutAfter, "in its reply": sshtest.CutReply,
		"silence before": sshtest.Silent, "silence after": sshtest.SilentAfter, "another id": sshtest.WrongID,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, doors, m := twoOverSSH(t)
			l.Create("ipam/ip-addresses", map[string]any{"address": "10.8.4.70/24", "status": "reserved", "dns_name": "door-1",
				"custom_fields": map[string]any{"dhcp_client_id": "3C:52:82:0A:30:00"}})
			doors[0].Fail(sshtest.Fault{Method: "POST", Path: "reservations", Kind: kind, Times: 1})
			l.Servers[0].ForgetRequests()
			run(t, m, mirror.Options{})
			made := 0
			for _, w := range l.Servers[0].Writes() {
				if w.Method == "POST" && strings.HasSuffix(w.Path, "reservations") && w.Status < 300 {
					made++
				}
			}
			l.Servers[0].Edit(func(w *psutest.World) {
				found := 0
				for _, r := range w.Scope("10.8.4.0").Reservations {
					if r.IP == "10.8.4.70" {
						found++
					}
				}
				if found != 1 || made != 1 {
					t.Errorf("%d reservations, made %d times", found, made)
				}
			})
			l.Servers[0].ForgetRequests()
			run(t, m, mirror.Options{})
			if writes := l.Servers[0].Writes(); len(writes) > 0 {
				t.Errorf("the next run writes %v", writes)
			}
		})
	}
}

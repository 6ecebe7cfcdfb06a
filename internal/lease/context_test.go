package lease

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

const tagGuests int64 = 21

// guests is an active prefix with the tag Guests.
func guests(cidr string) part {
	return func(w *world) {
		id := w.id()
		w.o.Tags[tagGuests] = &ipam.Tag{ID: tagGuests, Name: "Guests", Slug: "guests"}
		w.o.Prefixes[id] = &ipam.Prefix{ID: id, Prefix: netip.MustParsePrefix(cidr), Status: "active", Tags: []int64{tagGuests}}
	}
}

// forGuests is a config context for prefixes with the tag Guests.
func forGuests(data string) part {
	return func(w *world) {
		w.o.Contexts = append(w.o.Contexts, &ipam.ConfigContext{ID: w.id(), Name: "guests", Weight: 1000, Tags: []string{"guests"}, Data: json.RawMessage(data)})
	}
}

// rendered gives a device its rendered context.
func rendered(data string) component {
	return func(_ *world, m *ipam.Machine) { m.Context = json.RawMessage(data) }
}

const (
	phone   ClientID = "DA:A1:19:00:00:01" // a MAC that a phone made up
	printer ClientID = "00:1B:54:00:00:01" // a MAC of a maker
)

// lounge is a network of guests beside one of the office.
func lounge(data string) []part {
	return []part{
		guests("10.0.0.0/24"), prefix("10.9.0.0/24"),
		address("10.0.0.1/24", gateway()), address("10.9.0.1/24", gateway()),
		dynamic("10.0.0.10-10.0.0.19/24"), dynamic("10.9.0.10-10.9.0.19/24"),
		device("web1", port("eth0", string(web), on("10.0.0.5/24")), rendered(`{"lease_time": 1800}`)),
		device("of bob", port("eth0", string(bob))),
		forGuests(data),
	}
}

// CTX-4, CTX-2: lease times of a context stand for the settings, in its prefixes
// only; those of a machine's rendered context go before.
func TestLeaseTimesComeFromContexts(t *testing.T) {
	for name, c := range map[string]struct {
		data string
		m    ClientMessage
		want time.Duration
	}{
		"lease_time": {`{"lease_time": "8h"}`, discover(alice), 8 * time.Hour},
		"lease_time, for a client that asks for more":  {`{"lease_time": "8h"}`, discover(alice, asking(24*time.Hour)), 8 * time.Hour},
		"lease_time, for a client that asks for less":  {`{"lease_time": "8h"}`, discover(alice, asking(time.Second)), 5 * time.Minute},
		"a short one, for a client that asks for less": {`{"lease_time": 120}`, discover(alice, asking(time.Second)), 2 * time.Minute},
		"in another prefix":                            {`{"lease_time": "8h"}`, discover(alice, via("10.9.0.1")), time.Hour},
		"lease_max bounds the time of the settings":    {`{"lease_max": 900}`, discover(alice), 15 * time.Minute},
		"lease_max bounds a wish":                      {`{"lease_max": 900}`, discover(alice, asking(time.Hour)), 15 * time.Minute},
		"lease_max above the settings":                 {`{"lease_max": "30d"}`, discover(alice, asking(720*time.Hour)), 720 * time.Hour},
		"lease_min lifts the time of the settings":     {`{"lease_min": "20h"}`, discover(alice), 20 * time.Hour},
		"lease_min lifts a wish":                       {`{"lease_min": 1800}`, discover(alice, asking(time.Second)), 30 * time.Minute},
		"lease_max goes before lease_min":              {`{"lease_min": "20h", "lease_max": "1h"}`, discover(alice), time.Hour},
		"lease_max goes before lease_time":             {`{"lease_time": "20h", "lease_max": "2h"}`, discover(alice), 2 * time.Hour},
		"lease_time goes before lease_min":             {`{"lease_min": "20h", "lease_time": "2h"}`, discover(alice), 2 * time.Hour},
		"no time is below a minute":                    {`{"lease_time": 1, "lease_min": 1}`, discover(alice, asking(time.Second)), time.Minute},
		"a static address has it, of its machine":      {`{"lease_time": "8h"}`, discover(web), 30 * time.Minute},
		"a known machine without a context of its own": {`{"lease_time": "8h"}`, discover(bob), 8 * time.Hour},
		// CTX-6
		"a MAC that was made up":                         {`{"lease_time": "8h", "random_macs": {"lease_time": 600}}`, discover(phone, asking(time.Hour)), 10 * time.Minute},
		"a MAC of a maker":                               {`{"lease_time": "8h", "random_macs": {"lease_time": 600}}`, discover(printer), 8 * time.Hour},
		"a made up MAC of a machine that NetBox knows":   {`{"lease_time": "8h", "random_macs": {"lease_time": 600}}`, discover(bob), 8 * time.Hour},
		"a made up MAC where only others have own times": {`{"lease_time": "8h", "random_macs": {"allow": true}}`, discover(phone), 8 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newMemStore(), snapshot(t, worldOptions, lounge(c.data)...))
			if d := r.handle(c.m); d.Verdict != Offer || d.Time != c.want {
				t.Errorf("%s for %s, want %s", brief(d), d.Time, c.want)
			}
		})
	}
}

// CTX-4: explain names the context that each time comes from.
func TestTheTraceNamesTheContextOfATime(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, lounge(`{"lease_time": 7200, "lease_max": "1d"}`)...))
	_, trace := r.Explain(discover(alice))
	if want := `lease_time 2h0m0s of config context "guests" (weight 1000), lease_max 24h0m0s of config context "guests" (weight 1000) (rule CTX-4)`; !strings.Contains(trace.String(), want) {
		t.Errorf("want %q in\n%s", want, trace)
	}
	_, trace = r.Explain(discover(web))
	if want := `lease_time 30m0s of the machine's rendered context`; !strings.Contains(trace.String(), want) {
		t.Errorf("want %q in\n%s", want, trace)
	}
}

// CTX-5, CTX-6, P-12: what clients that NetBox does not know get where a context
// refuses them: no new lease, and what is left of a running one. Those that NetBox
// knows are served, whatever their MACs are.
func TestContextsTurnStrangersAway(t *testing.T) {
	running := []Lease{bound("10.0.0.12", phone, time.Hour)}
	short := []Lease{bound("10.0.0.12", phone, 30*time.Second)}
	ended := []Lease{bound("10.0.0.12", phone, -time.Hour)}
	inform := message(Inform, phone, has("10.0.0.77"), unicast())
	type row struct {
		name            string
		leases          []Lease
		m               ClientMessage
		unserved        string // serve_clients: false
		random, unknown string // random_macs: {allow: false}; allow_unknown: false
	}
	for _, c := range []row{
		{"a new client", nil, discover(phone), "silent CTX-5 clients_not_served", "silent CTX-6 random_mac", "silent CTX-5 unknown_client"},
		{"a new client with a MAC of a maker", nil, discover(printer), "silent CTX-5 clients_not_served", "OFFER D-1 10.0.0.10/24 new", "silent CTX-5 unknown_client"},
		{"a new client in another prefix", nil, discover(phone, via("10.9.0.1")), "OFFER D-1 10.9.0.10/24 new", "OFFER D-1 10.9.0.10/24 new", "OFFER D-1 10.9.0.10/24 new"},
		{"a machine without an address", nil, discover(bob), "OFFER D-1 10.0.0.10/24 new", "OFFER D-1 10.0.0.10/24 new", "OFFER D-1 10.0.0.10/24 new"},
		{"a machine with a static address", nil, discover(web), "OFFER D-1 10.0.0.5/24 static", "OFFER D-1 10.0.0.5/24 static", "OFFER D-1 10.0.0.5/24 static"},
		{"a running lease is offered again", running, discover(phone), "OFFER D-1 10.0.0.12/24 bound", "OFFER D-1 10.0.0.12/24 bound", "OFFER D-1 10.0.0.12/24 bound"},
		{"a running lease is confirmed", running, selecting(phone, "10.0.0.12"), "ACK D-4 10.0.0.12/24 clients_not_served", "ACK D-4 10.0.0.12/24 random_mac", "ACK D-4 10.0.0.12/24 unknown_client"},
		{"a client that comes back", running, request(phone, wants("10.0.0.12")), "ACK D-8 10.0.0.12/24 clients_not_served", "ACK D-8 10.0.0.12/24 random_mac", "ACK D-8 10.0.0.12/24 unknown_client"},
		{"a client that renews", running, renewing(phone, "10.0.0.12"), "ACK D-12 10.0.0.12/24 clients_not_served", "ACK D-12 10.0.0.12/24 random_mac", "ACK D-12 10.0.0.12/24 unknown_client"},
		{"the last minute of a lease", short, renewing(phone, "10.0.0.12"), "silent D-12 clients_not_served", "silent D-12 random_mac", "silent D-12 unknown_client"},
		{"an ended lease is not offered", ended, discover(phone), "silent CTX-5 clients_not_served", "silent CTX-6 random_mac", "silent CTX-5 unknown_client"},
		{"an ended lease is not confirmed", ended, request(phone, wants("10.0.0.12")), "silent CTX-5 clients_not_served", "silent CTX-6 random_mac", "NAK D-10 unknown_client"},
		{"an address of another network", nil, request(phone, wants("10.9.0.12")), "silent CTX-5 clients_not_served", "silent CTX-6 random_mac", "NAK D-7 wrong_network"},
		{"an address that is another client's", []Lease{bound("10.0.0.12", alice, time.Hour)}, selecting(phone, "10.0.0.12"), "silent CTX-5 clients_not_served", "silent CTX-6 random_mac", "NAK D-5 unknown_client"},
		{"INFORM", nil, inform, "silent CTX-5 clients_not_served", "silent CTX-6 random_mac", "ACK (inform) D-21 inform"},
		{"INFORM of a running lease", running, message(Inform, phone, has("10.0.0.12"), unicast()), "ACK (inform) D-21 inform", "ACK (inform) D-21 inform", "ACK (inform) D-21 inform"},
	} {
		for data, want := range map[string]string{`{"serve_clients": false}`: c.unserved, `{"random_macs": {"allow": false}}`: c.random, `{"allow_unknown": false}`: c.unknown} {
			t.Run(c.name+" "+data, func(t *testing.T) {
				r := newRig(t, newMemStore(c.leases...), snapshot(t, worldOptions, lounge(data)...))
				r.SetAuthority(Authoritative)
				r.invite(phone, printer)
				d := r.expect(c.m, want)
				if left := time.Hour - time.Second; len(c.leases) > 0 && d.Addr.Addr() == c.leases[0].Addr && (d.Verdict == Ack || d.Verdict == Offer) && (d.Time > left+time.Second || d.Time < left-time.Second) {
					t.Errorf("for %s, want what is left", d.Time)
				}
			})
		}
	}
}

// CTX-5: a lease that may not be extended ends when it was promised to, however
// often its client renews.
func TestALeaseRunsToItsEndAndNoLonger(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, lounge(`{}`)...))
	r.expect(discover(phone), "OFFER D-1 10.0.0.10/24 new")
	r.expect(selecting(phone, "10.0.0.10"), "ACK D-4 10.0.0.10/24 new")
	until := r.Leases()[0].Expires
	r.SetSnapshot(snapshot(t, worldOptions, lounge(`{"random_macs": {"allow": false}}`)...))
	for range 5 {
		r.now = r.now.Add(10 * time.Minute)
		if d := r.expect(renewing(phone, "10.0.0.10"), "ACK D-12 10.0.0.10/24 random_mac"); r.now.Add(d.Time).After(until) {
			t.Fatalf("promised until %s, the lease ends at %s", r.now.Add(d.Time), until)
		}
	}
	r.now = until.Add(time.Second)
	r.expect(renewing(phone, "10.0.0.10"), "silent CTX-6 random_mac")
	if l := r.Leases()[0]; !l.Expires.Equal(until) {
		t.Errorf("the store has %s, want %s", l.Expires, until)
	}
}

// CTX-5: a context goes before the setting, both ways.
func TestAContextGoesBeforeAllowUnknown(t *testing.T) {
	closed := policy(func(p *Policy) { p.AllowUnknown = false })
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, lounge(`{"allow_unknown": true}`)...), closed)
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24 new")
	r.expect(discover(carol, via("10.9.0.1")), "silent D-2 unknown_client")
}

// CTX-5, N-8: on a wire of several prefixes only those that let a stranger in give it
// an address.
func TestAWireGivesStrangersWhatItsPrefixesLet(t *testing.T) {
	onVLAN := func(id int64) part {
		return func(w *world) {
			for _, p := range w.o.Prefixes {
				p.VLAN = id
			}
		}
	}
	s := snapshot(t, worldOptions, append(lounge(`{"serve_clients": false}`), onVLAN(7))...)
	r := newRig(t, newMemStore(), s)
	r.expect(discover(phone), "OFFER D-1 10.9.0.10/24 new")
	r = newRig(t, newMemStore(bound("10.0.0.12", phone, time.Hour)), s)
	if d := r.expect(discover(phone), "OFFER D-1 10.0.0.12/24 bound"); d.Time > time.Hour {
		t.Errorf("for %s", d.Time)
	}
	r = newRig(t, newMemStore(bound("10.0.0.12", phone, 20*time.Second)), s)
	if d := r.expect(discover(phone), "OFFER D-1 10.9.0.10/24 new"); d.Time != time.Hour {
		t.Errorf("for %s", d.Time)
	}
}

// the share that waits for known machines comes from the context of the pool's
// prefix, and its number goes before the setting.
func TestTheKeptShareComesFromContexts(t *testing.T) {
	for name, c := range map[string]struct {
		data    string
		setting int
		via     string
		want    int // leases to strangers
	}{
		"of the context":             {`{"keep_for_known": 50}`, 0, "10.0.0.1", 5},
		"in another prefix":          {`{"keep_for_known": 50}`, 0, "10.9.0.1", 10},
		"none, whatever the setting": {`{"keep_for_known": 0}`, 50, "10.0.0.1", 10},
		"of the setting":             {`{}`, 50, "10.0.0.1", 5},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newMemStore(), snapshot(t, worldOptions, lounge(c.data)...), policy(func(p *Policy) { p.KeepForKnown = c.setting }))
			got := 0
			for i := range 12 {
				client := ClientID("00:1B:54:00:01:" + string("0123456789AB"[i]) + "0")
				if d := r.handle(discover(client, via(c.via))); d.Verdict == Offer {
					r.handle(selecting(client, d.Addr.Addr().String(), via(c.via)))
					got++
				}
			}
			if got != c.want {
				t.Errorf("%d strangers got an address, want %d", got, c.want)
			}
			if _, trace := r.Explain(discover(phone)); c.data == `{"keep_for_known": 50}` && c.via == "10.0.0.1" && !strings.Contains(trace.String(), `50% by config context "guests" (weight 1000)`) {
				t.Errorf("%s", trace)
			}
		})
	}
}

// CTX-4, H-6: a store that lost its leases waits as long as contexts can have promised.
func TestTheLongestLeaseKnowsContexts(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, lounge(`{"lease_max": "30d"}`)...))
	if got := r.LongestLease(); got != 720*time.Hour {
		t.Errorf("%s", got)
	}
}

// CTX-5, D-33: a lease that was declined in its client's name runs to its end, too.
func TestADeclinedLeaseOfAStrangerRunsToItsEnd(t *testing.T) {
	for data, refused := range map[string]string{`{"allow_unknown": false}`: "NAK D-13 unknown_client", `{"random_macs": {"allow": false}}`: "silent CTX-6 random_mac"} {
		r := newRig(t, newMemStore(), snapshot(t, worldOptions, lounge(`{}`)...))
		r.SetAuthority(Authoritative)
		r.expect(discover(phone), "OFFER D-1 10.0.0.10/24")
		r.expect(selecting(phone, "10.0.0.10"), "ACK D-4")
		r.expect(message(Decline, phone, wants("10.0.0.10")), "accepted, no reply D-17")
		r.SetSnapshot(snapshot(t, worldOptions, lounge(data)...))
		r.now = r.now.Add(50 * time.Minute)
		if d := r.expect(renewing(phone, "10.0.0.10"), "ACK D-12 10.0.0.10/24 bound"); d.Time > 10*time.Minute+time.Second {
			t.Errorf("%s: for %s, ten minutes are left", data, d.Time)
		}
		r.now = r.now.Add(11 * time.Minute)
		r.expect(renewing(phone, "10.0.0.10"), refused)
	}
}

// CTX-5, H-6: a store that may lack the client's lease proves nothing: silence, and no
// refusal.
func TestAYoungStoreRefusesNoStranger(t *testing.T) {
	parts := append(lounge(`{"allow_unknown": false}`), dynamic("10.0.0.30/24", record(carol, 20*time.Minute)))
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, parts...), func(config *Config) { config.Store = nil })
	r.SetAuthority(Authoritative)
	if err := r.Attach(t.Context(), newMemStore()); err != nil {
		t.Fatal(err)
	}
	r.expect(renewing(phone, "10.0.0.11"), "silent H-6 store_failed")
	r.now = r.now.Add(13 * time.Hour)
	r.expect(renewing(phone, "10.0.0.11"), "NAK D-13 unknown_client")
}

package lease

import (
	"context"
	"strings"
	"testing"
	"time"
)

// sends is option 61.
func sends(identifier string) field {
	return func(m *ClientMessage) { m.ClientIdentifier = []byte(identifier) }
}

// Identifiers of one MAC: of two containers, of a boot loader, of a system.
const (
	boxA   = "\x00c-a"
	boxB   = "\x00c-b"
	loader = "\x01\x52\x54\x00\x00\x00\x0a" // type 1 and alice's MAC
	duid   = "\xff\x56\x50\x4d\x98\x00\x02\x00\x00\xab\x11"
	keyA   = "id/00:63:2D:61"
)

func byIdentifier(p *Policy) { p.ByIdentifier = true }

// pool is a network with three dynamic addresses.
func pool3() []part { return append(office()[:1:1], dynamic("10.0.0.10-10.0.0.12/24")) }

// I-11: which identifiers are clients of their own.
func TestWhatNamesAClient(t *testing.T) {
	for _, c := range []struct {
		name   string
		by     bool
		client ClientID
		sent   string
		want   ClientID // empty: the hardware address
	}{
		{"by MAC", false, alice, boxA, ""},
		{"by identifier", true, alice, boxA, keyA},
		{"none is sent", true, alice, "", ""},
		{"too short", true, alice, "\x00", ""},
		{"too long", true, alice, strings.Repeat("x", 256), ""},
		{"type 1 with the MAC", true, alice, loader, ""},
		{"type 1 with another MAC", true, bob, loader, "id/01:52:54:00:00:00:0A"},
		{"type 255", true, alice, duid, "id/FF:56:50:4D:98:00:02:00:00:AB:11"},
		{"six bytes are no MAC", true, alice, "\x52\x54\x00\x00\x00\x0b", "id/52:54:00:00:00:0B"},
		{"no hardware address names the client", true, "", boxA, ""},
		{"no Ethernet", true, "20:00:00:00:00:00:00:0A", boxA, keyA},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := Policy{ByIdentifier: c.by}
			m := message(Discover, c.client, sends(c.sent))
			got := p.identified(&m)
			want, hardware := c.client, ClientID("")
			if c.want != "" {
				want, hardware = c.want, c.client
			}
			if got.Client != want || got.Hardware != hardware {
				t.Errorf("client %q of %q, want %q of %q", got.Client, got.Hardware, want, hardware)
			}
			if again := p.identified(got); again.Client != want || again.Hardware != hardware {
				t.Errorf("asked again: client %q of %q", again.Client, again.Hardware)
			}
		})
	}
}

// I-11: two containers on one MAC have a lease each, at the same time and after a
// restart.
func TestIdentifiersOfOneMACHaveALeaseEach(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, snapshot(t, worldOptions, pool3()...), policy(byIdentifier))
	r.SetAuthority(Authoritative)
	r.expect(discover(alice, sends(boxA)), "OFFER D-1 10.0.0.10/24 new")
	r.expect(discover(alice, sends(boxB)), "OFFER D-1 10.0.0.11/24 new")
	r.expect(selecting(alice, "10.0.0.10", sends(boxA)), "ACK D-4")
	r.expect(selecting(alice, "10.0.0.11", sends(boxB)), "ACK D-4")
	r.expect(selecting(alice, "10.0.0.10", sends(boxB)), "NAK D-5")
	r = newRig(t, store, snapshot(t, worldOptions, pool3()...), policy(byIdentifier))
	r.SetAuthority(Authoritative)
	r.now = start.Add(30 * time.Minute)
	r.expect(renewing(alice, "10.0.0.10", sends(boxA)), "ACK D-12 10.0.0.10/24 bound")
	r.expect(renewing(alice, "10.0.0.11", sends(boxB)), "ACK D-12 10.0.0.11/24 bound")
	r.expect(discover(alice), "OFFER D-1 10.0.0.12/24 new") // the host itself
	if l := store.get("10.0.0.10"); l.Client != keyA || l.Shown() != alice {
		t.Errorf("stored for %q, shown as %q", l.Client, l.Shown())
	}
	r.expect(message(Release, alice, has("10.0.0.10"), sends(boxB)), "silent D-20")
	r.expect(message(Release, alice, has("10.0.0.10"), sends(boxA)), "accepted, no reply D-19")
	r.expect(request(alice, wants("10.0.0.11"), sends(boxB)), "ACK D-8")
	r.expect(message(Decline, alice, wants("10.0.0.11"), sends(boxB)), "accepted, no reply D-17")
	if l := store.get("10.0.0.11"); l.Shown() != Declined {
		t.Errorf("a quarantine is shown as %q", l.Shown())
	}
}

// I-11: firmware without an identifier and a loader of type 1 share a lease; the
// system has one of its own, unless it asks for theirs (I-12).
func TestFirmwareLoaderAndSystem(t *testing.T) {
	for name, c := range map[string]struct {
		system func(*rig)
	}{
		"the system asks for nothing": {func(r *rig) {
			r.expect(discover(alice, sends(duid)), "OFFER D-1 10.0.0.11/24 new")
			r.expect(request(alice, wants("10.0.0.11"), sends(duid)), "NAK D-10")
		}},
		"the system asks for the address": {func(r *rig) {
			r.expect(discover(alice, sends(duid), wants("10.0.0.10")), "OFFER D-1 10.0.0.10/24")
			r.expect(selecting(alice, "10.0.0.10", sends(duid)), "ACK D-4 10.0.0.10/24")
			r.expect(discover(alice), "OFFER D-1 10.0.0.11/24 new")
		}},
		"the system comes back with it": {func(r *rig) {
			r.expect(request(alice, wants("10.0.0.10"), sends(duid)), "ACK D-8 10.0.0.10/24")
		}},
		"the system renews it": {func(r *rig) {
			r.expect(renewing(alice, "10.0.0.10", sends(duid)), "ACK D-12 10.0.0.10/24")
			r.expect(renewing(alice, "10.0.0.10", sends(boxB)), "NAK D-13") // it is the system's now
		}},
		"another machine asks for it": {func(r *rig) {
			r.expect(selecting(bob, "10.0.0.10", sends(duid)), "NAK D-5")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newMemStore(), snapshot(t, worldOptions, pool3()...), policy(byIdentifier))
			r.SetAuthority(Authoritative)
			r.expect(selecting(alice, "10.0.0.10"), "ACK D-4 10.0.0.10/24 new")
			r.expect(discover(alice, sends(loader)), "OFFER D-1 10.0.0.10/24 bound")
			r.expect(selecting(alice, "10.0.0.10", sends(loader)), "ACK D-4 10.0.0.10/24 bound")
			c.system(r)
		})
	}
}

// I-12: the lease that NetBox shows, or that was stored before identifiers
// counted, is the MAC's, and that of the identifier that asks for it.
func TestALeaseOfAMACGoesToTheIdentifierThatAsks(t *testing.T) {
	for name, c := range map[string]struct {
		held []Lease
		part part
	}{
		"in the store":    {[]Lease{bound("10.0.0.10", alice, time.Hour)}, dynamic("10.0.0.10-10.0.0.12/24")},
		"in NetBox alone": {nil, dynamic("10.0.0.10/24", record(alice, time.Hour))},
	} {
		t.Run(name, func(t *testing.T) {
			parts := append(office()[:1:1], c.part)
			if len(c.held) == 0 {
				parts = append(parts, dynamic("10.0.0.11-10.0.0.12/24"))
			}
			store := newMemStore(c.held...)
			r := newRig(t, store, snapshot(t, worldOptions, parts...), policy(byIdentifier))
			r.SetAuthority(Authoritative)
			r.expect(discover(alice, sends(boxB)), "OFFER D-1 10.0.0.11/24 new")
			store.before = func(Lease) error { return errDisk }
			got, err := r.Handle(context.Background(), renewing(alice, "10.0.0.10", sends(boxA)), nil)
			if err == nil || got.Rule != "H-4" || got.Verdict != Ack {
				t.Errorf("without the store: %s, %v", brief(got), err)
			}
			store.before = nil
			r.expect(renewing(alice, "10.0.0.10", sends(boxA)), "ACK D-12 10.0.0.10/24 bound")
			r.expect(renewing(alice, "10.0.0.10", sends(boxB)), "NAK D-13")
		})
	}
}

// I-12, S-11, S-12: where a lease of the MAC is confirmed for what is left of it,
// too, the identifier that asks has it from then on, after a restart as well.
func TestALeaseThatIsNotExtendedGoesToOneIdentifier(t *testing.T) {
	told := start.Add(-time.Minute)
	running := synced(bound("10.0.0.10", alice, time.Hour), told)
	for name, c := range map[string]struct {
		held []Lease
		part part
		want string
	}{
		"the tag is gone":                  {[]Lease{running}, address("10.0.0.10/24", record(alice, time.Hour), seen(told)), "taken_away"},
		"the address is gone":              {[]Lease{running}, address("10.0.0.9/24"), "taken_away"},
		"the tag is gone, NetBox alone":    {nil, address("10.0.0.10/24", record(alice, time.Hour)), "taken_away"},
		"another client had it before":     {[]Lease{synced(released("10.0.0.10", bob, time.Hour), told)}, address("10.0.0.10/24", record(alice, time.Hour), seen(start)), "taken_away"},
		"another server gave it away, too": {[]Lease{running}, dynamic("10.0.0.10/24", record(bob, 2*time.Hour), seen(start)), "foreign_record"},
	} {
		t.Run(name, func(t *testing.T) {
			parts := append(office()[:1:1], c.part, dynamic("10.0.0.11-10.0.0.12/24"))
			store := newMemStore(c.held...)
			r := newRig(t, store, snapshot(t, worldOptions, parts...), policy(byIdentifier))
			r.SetAuthority(Authoritative)
			if d := r.expect(renewing(alice, "10.0.0.10", sends(boxA)), "ACK D-12 10.0.0.10/24 "+c.want); d.Time != time.Hour-time.Second {
				t.Errorf("confirmed for %s", d.Time)
			}
			l := store.get("10.0.0.10")
			if l.Client != keyA || l.Shown() != alice || l.Unsynced || !l.Expires.Equal(running.Expires) {
				t.Errorf("stored is %+v", l)
			}
			for range 2 {
				r.expect(renewing(alice, "10.0.0.10", sends(boxB)), "NAK D-13")
				r.expect(renewing(alice, "10.0.0.10"), "NAK D-13")
				r.expect(renewing(alice, "10.0.0.10", sends(boxA)), "ACK D-12 10.0.0.10/24 "+c.want)
				r = newRig(t, store, snapshot(t, worldOptions, parts...), policy(byIdentifier))
				r.SetAuthority(Authoritative)
			}
		})
	}
}

// I-13: records of NetBox show the MAC and are compared by it.
func TestARecordOfAnIdentifierIsItsMAC(t *testing.T) {
	stored := synced(bound("10.0.0.10", keyA, time.Hour), start)
	stored.Hardware = alice
	shows := func(c ClientID, left time.Duration, at time.Time) []part {
		return append(office()[:1:1], dynamic("10.0.0.10/24", record(c, left), seen(at)), dynamic("10.0.0.11/24"))
	}
	for name, c := range map[string]struct {
		parts []part
		box   string
		rival bool
	}{
		"as it was written":      {shows(alice, time.Hour, start), "ACK D-12", false},
		"seen later":             {shows(alice, time.Hour, start.Add(time.Second)), "ACK D-12", false},
		"extended by another":    {shows(alice, 2*time.Hour, start.Add(time.Second)), "ACK D-12", false},
		"another client's":       {shows(bob, time.Hour, start.Add(time.Second)), "ACK D-12", true},
		"emptied by an operator": {append(office()[:1:1], dynamic("10.0.0.10/24", seen(start.Add(time.Second))), dynamic("10.0.0.11/24")), "NAK D-13", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(t, worldOptions, c.parts...)
			r := newRig(t, newMemStore(stored), s, policy(byIdentifier))
			r.SetAuthority(Authoritative)
			if b := r.facts.Leases.binding(s.Address(0, stored.Addr), start); (b.Rival != "") != c.rival {
				t.Errorf("binding %+v", b)
			}
			r.expect(renewing(alice, "10.0.0.10", sends(boxA)), c.box)
			if c.box[:3] == "ACK" {
				r.expect(renewing(alice, "10.0.0.10", sends(boxB)), "NAK D-13")
			}
		})
	}
}

// I-12: once identifiers do not count any more, their leases are those of the
// MAC.
func TestTheSettingIsTakenBack(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, snapshot(t, worldOptions, pool3()...), policy(byIdentifier))
	r.expect(selecting(alice, "10.0.0.10", sends(boxA)), "ACK D-4")
	r.expect(selecting(alice, "10.0.0.11", sends(boxB)), "ACK D-4")
	r = newRig(t, store, snapshot(t, worldOptions, pool3()...))
	r.SetAuthority(Authoritative)
	r.expect(renewing(alice, "10.0.0.11", sends(boxB)), "ACK D-12 10.0.0.11/24 bound")
	r.expect(renewing(alice, "10.0.0.10", sends(boxA)), "ACK D-12 10.0.0.10/24 bound")
	r.expect(renewing(bob, "10.0.0.10", sends(boxA)), "NAK D-13")
	if l := store.get("10.0.0.10"); l.Client != alice || l.Hardware != "" {
		t.Errorf("stored for %q of %q", l.Client, l.Hardware)
	}
	if err := r.facts.Leases.verify(); err != nil {
		t.Error(err)
	}
}

// oneStatic is a network in which web has a static address, with two dynamic ones.
func oneStatic() []part {
	return append(office()[:1:1], dynamic("10.0.0.10-10.0.0.11/24"), device("web1", port("eth0", string(web), on("10.0.0.5/24"))))
}

// I-14: a static address goes to one identifier of its MAC at a time, also after a
// restart, and to the next one when that lease is over.
func TestAStaticAddressGoesToOneIdentifierAtATime(t *testing.T) {
	for _, c := range []struct{ name, first, second string }{
		{"two containers", boxA, boxB},
		{"a host and its container", "", boxA},
		{"a host with type 1 and its container", "\x01\x52\x54\x00\x00\x00\xeb", boxA},
		{"a container and its host", boxA, ""},
		{"a system with a DUID and a container", duid, boxA},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newMemStore()
			r := newRig(t, store, snapshot(t, worldOptions, oneStatic()...), policy(byIdentifier))
			r.SetAuthority(Authoritative)
			r.expect(discover(web, sends(c.first)), "OFFER D-1 10.0.0.5/24 static")
			r.expect(selecting(web, "10.0.0.5", sends(c.first)), "ACK D-4 10.0.0.5/24 static")
			if n := r.UnsyncedCount(); n != 0 {
				t.Errorf("NetBox is to be told of %d leases", n)
			}
			r.expect(discover(web, sends(c.second)), "OFFER D-1 10.0.0.10/24 new")
			now := start.Add(30 * time.Minute)
			r = newRig(t, store, snapshot(t, worldOptions, oneStatic()...), policy(byIdentifier))
			r.SetAuthority(Authoritative)
			r.now = now
			r.expect(discover(web, sends(c.second)), "OFFER D-1 10.0.0.10/24 new")
			r.expect(selecting(web, "10.0.0.10", sends(c.second)), "ACK D-4 10.0.0.10/24 new")
			r.expect(renewing(web, "10.0.0.5", sends(c.first)), "ACK D-12 10.0.0.5/24 static")
			r.now = now.Add(30 * time.Minute)
			r.expect(renewing(web, "10.0.0.10", sends(c.second)), "ACK D-12 10.0.0.10/24 bound")
			r.now = now.Add(time.Hour + 11*time.Second) // the first one is gone
			r.expect(discover(web, sends(c.second)), "OFFER D-1 10.0.0.5/24 static")
		})
	}
}

// I-14: who gives a static address back, or asks for that of firmware, changes
// whose it is.
func TestAStaticAddressChangesHands(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, oneStatic()...), policy(byIdentifier))
	r.SetAuthority(Authoritative)
	r.expect(selecting(web, "10.0.0.5", sends(boxA)), "ACK D-4 10.0.0.5/24 static")
	r.expect(selecting(web, "10.0.0.5", sends(boxB)), "NAK D-5 taken")
	r.expect(message(Release, web, has("10.0.0.5"), sends(boxB)), "silent D-20")
	r.expect(message(Release, web, has("10.0.0.5"), sends(boxA)), "accepted, no reply D-19")
	if n := r.UnsyncedCount(); n != 0 {
		t.Errorf("NetBox is to be told of %d leases", n)
	}
	r.expect(selecting(web, "10.0.0.5"), "ACK D-4 10.0.0.5/24 static") // firmware
	r.expect(discover(web, sends(duid)), "OFFER D-1 10.0.0.10/24 new")
	r.expect(discover(web, sends(duid), wants("10.0.0.5")), "OFFER D-1 10.0.0.5/24 static")
	r.expect(selecting(web, "10.0.0.5", sends(duid)), "ACK D-4 10.0.0.5/24 static")
	r.expect(renewing(web, "10.0.0.5", sends(duid)), "ACK D-12 10.0.0.5/24 static")
	r.expect(discover(web), "OFFER D-1 10.0.0.10/24 new")
}

// I-14, H-5: a static host that is told by its MAC needs no store; an identifier
// of it needs one that works, or none.
func TestStaticIdentifiersInTroubleWithTheStore(t *testing.T) {
	for name, c := range map[string]struct {
		sent             string
		failing, without string
	}{
		"none":   {"", "ACK D-4 10.0.0.5/24 static", "ACK D-4 10.0.0.5/24 static"},
		"type 1": {"\x01\x52\x54\x00\x00\x00\xeb", "ACK D-4 10.0.0.5/24 static", "ACK D-4 10.0.0.5/24 static"},
		"DUID":   {duid, "silent H-3 store_failed", "ACK D-4 10.0.0.5/24 static"},
	} {
		t.Run(name, func(t *testing.T) {
			store := newMemStore()
			r := newRig(t, store, snapshot(t, worldOptions, oneStatic()...), policy(byIdentifier))
			store.before = func(Lease) error { return errDisk }
			got, _ := r.Handle(t.Context(), selecting(web, "10.0.0.5", sends(c.sent)), nil)
			if brief(got) != c.failing {
				t.Errorf("the store fails: %s, want %s", brief(got), c.failing)
			}
			r.Detach()
			r.expect(selecting(web, "10.0.0.5", sends(c.sent)), c.without)
		})
	}
}

// I-14: by MAC nothing is kept of static addresses.
func TestStaticAddressesByMACAreNotStored(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, snapshot(t, worldOptions, oneStatic()...))
	r.expect(selecting(web, "10.0.0.5", sends(boxA)), "ACK D-4 10.0.0.5/24 static")
	r.expect(selecting(web, "10.0.0.5", sends(boxB)), "ACK D-4 10.0.0.5/24 static")
	if n := store.written(); n != 0 {
		t.Errorf("%d leases were written", n)
	}
}

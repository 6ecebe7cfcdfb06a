package instance

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// H-5: a server whose store is absent, damaged or not readable starts, serves
// static hosts, and takes the store when it can be opened.
func TestAServerStartsWithoutItsStore(t *testing.T) {
	for _, c := range []struct {
		name       string
		harm, mend func(t *testing.T, leases string)
		kept       bool // the lease of before is known once the store is back
	}{
		{"a file stands in its place", func(t *testing.T, leases string) {
			must(t, os.Rename(leases, leases+".kept"), os.WriteFile(leases, nil, 0o600))
		}, func(t *testing.T, leases string) {
			must(t, os.Remove(leases), os.Rename(leases+".kept", leases))
		}, true},
		{"the folder cannot be made", func(t *testing.T, leases string) {
			state := filepath.Dir(leases)
			must(t, os.Rename(state, state+".kept"), os.WriteFile(state, nil, 0o600))
		}, func(t *testing.T, leases string) {
			state := filepath.Dir(leases)
			must(t, os.Remove(state), os.Rename(state+".kept", state))
		}, true},
		{"it is damaged", func(t *testing.T, leases string) {
			damage(t, leases)
		}, func(t *testing.T, leases string) {
			must(t, os.Rename(leases, leases+".damaged"))
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := settingsFile(t, "10.1.0.0/24")
			leases := filepath.Join(filepath.Dir(path), "state", "leases")
			before, _ := serving(t, path)
			ask(t, before, stranger(lease.Request, "10.1.0.105"), lease.Ack)
			if err := before.pool.Close(); err != nil {
				t.Fatal(err)
			}
			c.harm(t, leases)
			i, hook := serving(t, path)
			ask(t, i, web(lease.Discover), lease.Offer)
			ask(t, i, web(lease.Request), lease.Ack)
			ask(t, i, stranger(lease.Discover, "10.1.0.105"), lease.Silent)
			lines := 0
			for _, e := range hook.AllEntries() {
				if strings.Contains(e.Message, "no lease store") {
					lines++
				}
			}
			if lines != 1 {
				t.Errorf("%d lines say that there is no store, want 1", lines)
			}
			c.mend(t, leases)
			for late := time.Now().Add(30 * time.Second); i.storeOpen.Load() == nil; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(late) {
					t.Fatal("the store is not opened again")
				}
			}
			want := netip.MustParseAddr("10.1.0.100")
			if c.kept {
				want = netip.MustParseAddr("10.1.0.105")
			}
			d := ask(t, i, stranger(lease.Discover, ""), lease.Offer)
			if d.Addr.Addr() != want {
				t.Errorf("offered %s, want %s", d.Addr, want)
			}
		})
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// damage flips bits in every file that holds data.
func damage(t *testing.T, folder string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	must(t, err)
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		data, err := os.ReadFile(path)
		must(t, err)
		if !strings.HasPrefix(e.Name(), "MANIFEST") {
			continue
		}
		for n := range data {
			data[n] ^= 0x55
		}
		must(t, os.WriteFile(path, data, 0o600))
	}
}

// serving opens the instance of a settings file as a server does.
func serving(t *testing.T, path string) (*Instance, *test.Hook) {
	t.Helper()
	log, hook := test.NewNullLogger()
	p := newPool(t)
	must(t, p.UseFile(path))
	i, err := p.Join("", log)
	must(t, err)
	return i, hook
}

func ask(t *testing.T, i *Instance, m lease.ClientMessage, want lease.Verdict) lease.Decision {
	t.Helper()
	d, err := i.Engine.Handle(t.Context(), m, nil)
	if d.Verdict != want {
		t.Errorf("%s from %s: %s (%s %s), %v; want %s", m.Type, m.Client, d.Verdict, d.Rule, d.Reason, err, want)
	}
	return d
}

// web is a message of the host with a static address.
func web(kind lease.MessageType) lease.ClientMessage {
	m := stranger(kind, "10.1.0.10")
	m.Client, m.MAC = "02:AB:00:00:00:01", ipam.MAC{2, 0xab, 0, 0, 0, 1}
	return m
}

// stranger is a message of a client that NetBox does not know.
func stranger(kind lease.MessageType, asks string) lease.ClientMessage {
	m := lease.ClientMessage{
		Type: kind, Client: "52:54:00:00:00:09", MAC: ipam.MAC{0x52, 0x54, 0, 0, 0, 9}, HasMAC: true,
		Relay: netip.MustParseAddr("10.1.0.1"), Identifier: netip.MustParseAddr("10.1.0.2"),
	}
	if asks != "" {
		m.RequestedAddr = netip.MustParseAddr(asks)
	}
	if kind == lease.Request {
		m.ServerID = m.Identifier
	}
	return m
}

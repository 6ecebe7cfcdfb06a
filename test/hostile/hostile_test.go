//go:build linux

package hostile

import (
	"context"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// phase is one kind of trouble: begin starts it and returns what ends it.
type phase struct {
	name  string
	lasts time.Duration
	begin func(*testing.T, *world) (end func())
	told  string // what the log has to say of it; "": nothing
}

func phases() []phase {
	return []phase{
		{"attacks alone", 10 * time.Second, func(*testing.T, *world) func() { return func() {} }, "no answer"},
		{"NetBox hides addresses", 15 * time.Second, hides("ipam.ipaddress"), "vanished from NetBox"},
		{"NetBox hides prefixes and tags", 15 * time.Second, hides("ipam.prefix", "extras.tag"), "tag"},
		{"NetBox is slow", 10 * time.Second, fault(netboxtest.Fault{Kind: netboxtest.Slow, Delay: 2 * time.Second}), ""},
		{"NetBox fails", 10 * time.Second, fault(netboxtest.Fault{Kind: netboxtest.HTML502}), "502"},
		{"NetBox is away", 10 * time.Second, func(_ *testing.T, w *world) func() {
			w.netbox.Down()
			return w.netbox.Up
		}, "NetBox can be read again"},
		{"the disk is full", 15 * time.Second, full, ""},
		{"the disk hangs", 15 * time.Second, frozen, "trouble on our side"},
		{"the clock is set forward by two hours", 10 * time.Second, steps("2h"), "the clock was set forward"},
		{"a bulk delete of addresses", 15 * time.Second, deletes, "NetBox changed so much"},
		// Last: it is some minutes until the server looks whether the change log is back.
		{"NetBox hides machines and their MACs, and its change log", 15 * time.Second,
			hides("dcim.device", "dcim.interface", "dcim.macaddress", changeLog), "deletions in NetBox are found by comparing lists"},
	}
}

// TestAHostileHour is the promise in minutes: no wrong refusal, no known host
// unserved, no address with two owners, and a log that stays short. (H-3, H-5, B-2)
func TestAHostileHour(t *testing.T) {
	w := newWorld(t)
	l := newLedger()
	doors := []*door{
		wire(t, w.clients, "eth0"),
		relayed(t, w.outside, relayAddr, addrPort(uplink, 67)),
	}
	victims := w.settle(t, doors, l)
	began := time.Now()
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	for n, v := range victims {
		work.Go(func() { v.live(ctx, n) })
	}
	a := w.attacker(doors[0], victims, l)
	for _, attack := range a.attacks() {
		work.Go(func() { every(ctx, attack.rate, attack.send) })
	}
	for _, d := range doors {
		work.Go(func() { every(ctx, 5, a.lure(d)) })
	}
	for _, p := range phases() {
		l.enter(p.name)
		end := p.begin(t, w)
		select {
		case <-time.After(p.lasts):
		case <-t.Context().Done():
		}
		end()
	}
	stop()
	work.Wait()
	a.lures.Wait()
	l.enter("afterwards")
	for _, v := range victims {
		work.Go(v.renew)
	}
	work.Wait()
	l.judge(t)
	t.Logf("%d forged packets", a.sent.Load())
	w.judgeLog(t, time.Since(began))
	for _, p := range phases() {
		if !w.logged(p.told) {
			t.Errorf("the log does not say that %s: %q", p.name, p.told)
		}
	}
}

// settle gives every client its address while all is well.
func (w *world) settle(t *testing.T, doors []*door, l *ledger) []*client {
	t.Helper()
	var mu sync.Mutex
	var victims []*client
	var work sync.WaitGroup
	for i, d := range doors {
		for n := range hosts {
			victims = append(victims, &client{kind: known, door: d, mac: hostMAC(i+1, n), addr: hostAddr(i+1, n), ledger: l})
		}
		for n := range leasers {
			work.Go(func() {
				c, err := lease(d, l, leased, leaserMAC(i+1, n))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				victims = append(victims, c)
			})
		}
	}
	work.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return victims
}

func (w *world) attacker(near *door, victims []*client, l *ledger) *attacker {
	w.t.Helper()
	conn, err := w.outside.ListenPacket(addrPort(forger, 67))
	if err != nil {
		w.t.Fatal(err)
	}
	read(w.t, conn, func([]byte) {})
	return &attacker{
		near: near, victims: victims, relay: relayAddr, ledger: l,
		far: func(port uint16, b []byte) error {
			_, err := conn.WriteTo(b, net.UDPAddrFromAddrPort(addrPort(uplink, port)))
			return err
		},
	}
}

// changeLog is the model of NetBox's change log.
const changeLog = "core.objectchange"

// hides takes the right to see most rows of some models from the server's token,
// and that to see the change log at all; what is hidden comes back at the end.
func hides(models ...string) func(*testing.T, *world) func() {
	return func(_ *testing.T, w *world) func() {
		w.permit(func(g *netboxtest.Grant) bool {
			if slices.Contains(models, g.Object) {
				g.IDs = []int64{1}
			}
			return g.Object != changeLog || !slices.Contains(models, changeLog)
		})
		return func() { w.permit(nil) }
	}
}

func fault(f netboxtest.Fault) func(*testing.T, *world) func() {
	return func(_ *testing.T, w *world) func() {
		w.netbox.Fail(f)
		return w.netbox.ClearFaults
	}
}

// full fills the disk of the lease store.
func full(t *testing.T, w *world) func() {
	t.Helper()
	path := w.onDisk("full")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 1<<16)
	for size := len(block); size > 0; {
		if _, err := file.Write(block[:size]); err != nil {
			size /= 2 // no space left for so much
		}
	}
	_ = file.Close() // reports the full disk again
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

// frozen makes every write to the disk wait.
func frozen(t *testing.T, w *world) func() {
	t.Helper()
	command(t, "fsfreeze", "-f", w.onDisk(""))
	return func() { command(t, "fsfreeze", "-u", w.onDisk("")) }
}

// steps sets the server's clock forward, for good.
func steps(by string) func(*testing.T, *world) func() {
	return func(t *testing.T, w *world) func() {
		t.Helper()
		if err := os.WriteFile(w.clock, []byte(by), 0o600); err != nil {
			t.Fatal(err)
		}
		return func() {}
	}
}

// deletes takes all addresses of one network out of NetBox in one go, as an
// operator who chose the wrong rows.
func deletes(t *testing.T, w *world) func() {
	t.Helper()
	for n := range hosts {
		w.netbox.Delete(t, "ipam/ip-addresses", w.seed.ID(t, "ipam/ip-addresses", hostAddr(1, n).String()+"/22"))
	}
	for n := range pool {
		w.netbox.Delete(t, "ipam/ip-addresses", w.seed.ID(t, "ipam/ip-addresses", poolAddr(1, n)))
	}
	return func() {}
}

// judgeLog holds the log against its bounds: a journal of 600 leases a minute
// made and 600 ended, and 20 lines a minute of each other cause (B-2).
func (w *world) judgeLog(t *testing.T, took time.Duration) {
	t.Helper()
	const causes = 40
	minutes := int(took.Minutes()) + 1
	lines, bound := len(w.lines()), minutes*(2*600+causes*20)
	t.Logf("%d lines in the log in %s, at most %d are allowed", lines, took.Round(time.Second), bound)
	if lines > bound {
		t.Errorf("the log has %d lines, more than %d", lines, bound)
	}
}

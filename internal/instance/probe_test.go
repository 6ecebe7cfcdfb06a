package instance

import (
	"io"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// a request that the kernel refuses to send, here for want of a route, is not
// one that stays unanswered.
func TestAnEchoThatCannotBeSentTellsNothing(t *testing.T) {
	log := logrus.New()
	log.SetOutput(io.Discard)
	i := &Instance{Quiet: quiet.New(log, time.Minute, time.Now)}
	err := netns.New(t).Namespace("alone").Do(func() error {
		answered, err := i.echo(t.Context(), netip.MustParseAddr("192.0.2.1"), 100*time.Millisecond)
		if answered || err == nil {
			t.Errorf("answered %v, error %v", answered, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// a host that answers no echo request answers ARP; an address without a host
// does not, and one that is on no interface cannot be asked.
func TestAHostIsAskedByARP(t *testing.T) {
	n := netns.New(t)
	server, host := n.Namespace("server"), n.Namespace("host")
	n.Link(server, "eth0", host, "eth0")
	server.AddAddr("eth0", netip.MustParsePrefix("10.0.0.1/24"))
	host.AddAddr("eth0", netip.MustParsePrefix("10.0.0.50/24"))
	server.SetUp("eth0", true)
	host.SetUp("eth0", true)
	if err := host.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/icmp_echo_ignore_all", []byte("1"), 0) }); err != nil {
		t.Fatal(err)
	}
	i := new(Instance)
	ask := func(addr string) (answered bool, err error) {
		t.Helper()
		if trouble := server.Do(func() error {
			answered, err = i.arp(t.Context(), netip.MustParseAddr(addr))
			return nil
		}); trouble != nil {
			t.Fatal(trouble)
		}
		return answered, err
	}
	for addr, want := range map[string]bool{"10.0.0.50": true, "10.0.0.51": false} {
		if answered, err := ask(addr); answered != want || err != nil {
			t.Errorf("%s: answered %v, %v", addr, answered, err)
		}
	}
	for _, addr := range []string{"10.0.0.1", "10.9.0.1"} {
		if answered, err := ask(addr); answered || err == nil {
			t.Errorf("%s: answered %v, %v, want an error", addr, answered, err)
		}
	}
	server.SetUp("eth0", false)
	if answered, err := ask("10.0.0.50"); answered || err == nil {
		t.Errorf("while the interface is down: answered %v, %v, want an error", answered, err)
	}
}

// A-7, B-2: where hosts of others fill a pool, not each of them leaves a line.
func TestAddressesInUseLeaveFewLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // within one minute
		log, hook := test.NewNullLogger()
		i := &Instance{Quiet: quiet.New(log, time.Minute, time.Now), pool: new(Pool), Metrics: new(Metrics), Log: log}
		c := i.engineConfig()
		for n := range 100 {
			c.InUse(netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}))
			c.InUse(netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}))
		}
		lines := hook.AllEntries()
		if len(lines) != 20 {
			t.Fatalf("%d lines, want 20", len(lines))
		}
		if first := lines[0]; first.Data["addr"] != netip.MustParseAddr("10.0.0.0") || first.Level != logrus.WarnLevel {
			t.Errorf("%s %v", first.Level, first.Data)
		}
	})
}

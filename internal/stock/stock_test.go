package stock

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
)

func TestAPanicCostsThePacketAndIsLoggedOnce(t *testing.T) {
	log, hook := test.NewNullLogger()
	limited := quiet.New(log, time.Minute, time.Now)
	req, resp := new(dhcpv4.DHCPv4), new(dhcpv4.DHCPv4)

	broken := Plugin{Name: "netbox_dns", Log: limited}.Handler(func(_, _ *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		panic("bug")
	}, new(dhcp4.Exchanges), new(Packets))
	for range 2 {
		if got, stop := broken(req, resp); got != nil || !stop { // B-3
			t.Errorf("after a panic: %v, stop %v", got, stop)
		}
	}
	if len(hook.Entries) != 1 { // B-2
		t.Fatalf("%d log lines for two panics, want 1", len(hook.Entries))
	}
	e := hook.LastEntry()
	if e.Level != logrus.ErrorLevel || e.Data["plugin"] != "netbox_dns" || !strings.Contains(e.Data["stack"].(string), "stock_test.go") {
		t.Errorf("log line %v %v", e.Level, e.Data)
	}
}

// L-15: the handlers of a chain share an Exchange, and it goes with its request.
func TestTheHandlersOfAChainShareAnExchange(t *testing.T) {
	exchanges, packets := new(dhcp4.Exchanges), new(Packets)
	log, _ := test.NewNullLogger()
	plugin := Plugin{Name: "netbox", Log: quiet.New(log, time.Minute, time.Now)}
	first := plugin.Handler(func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		exchanges.Find(req).Note = "seen"
		return resp, false
	}, exchanges, packets)
	var note string
	second := plugin.Handler(func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		note = exchanges.Find(req).Note
		return resp, false
	}, exchanges, packets)
	for range 100 {
		req, resp := new(dhcpv4.DHCPv4), new(dhcpv4.DHCPv4)
		first(req, resp)
		if second(req, resp); note != "seen" {
			t.Fatalf("the second handler finds %q", note)
		}
		if exchanges.Find(req) != nil {
			t.Fatal("an entry is left where our receive loop keeps them")
		}
	}
	left := func() (n int) {
		packets.known.Range(func(any, any) bool { n++; return true })
		return n
	}
	for end := time.Now().Add(time.Minute); left() > 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		runtime.GC()
	}
	if n := left(); n > 0 {
		t.Errorf("%d entries of collected requests are left", n)
	}
}

// B-1, L-8
func TestNoMorePacketsInWorkThanTheLimit(t *testing.T) {
	log, hook := test.NewNullLogger()
	begun, release := make(chan struct{}), make(chan struct{})
	handle := Plugin{Name: "netbox", Log: quiet.New(log, time.Minute, time.Now), Limit: 1}.Handler(func(_, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		begun <- struct{}{}
		<-release
		return resp, false
	}, new(dhcp4.Exchanges), new(Packets))
	done := make(chan *dhcpv4.DHCPv4)
	go func() {
		reply, _ := handle(new(dhcpv4.DHCPv4), new(dhcpv4.DHCPv4))
		done <- reply
	}()
	<-begun
	if reply, stop := handle(new(dhcpv4.DHCPv4), new(dhcpv4.DHCPv4)); reply != nil || !stop || len(hook.Entries) != 1 {
		t.Errorf("one too many: %v, stop %v, %d lines", reply, stop, len(hook.Entries))
	}
	close(release)
	if reply := <-done; reply == nil {
		t.Error("the packet in work was dropped")
	}
}

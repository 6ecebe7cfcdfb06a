package netbox

import (
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance/instancetest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// BenchmarkHandler is the plugin's share of one message, as our receive loop
// calls it.
func BenchmarkHandler(b *testing.B) {
	phone := []dhcpv4.Modifier{stranger(1), dhcp4test.Raw(55, 1, 3, 6, 15, 66, 150), dhcp4test.Text(60, "Cisco Systems, Inc. IP Phone CP-7911G")}
	for name, c := range map[string]struct {
		netbox string
		mods   []dhcpv4.Modifier
	}{"static": {inventory, nil}, "dynamic": {inventory, []dhcpv4.Modifier{stranger(1)}}, "a phone without options": {inventory, phone}, "a phone": {phones, phone}} {
		b.Run(name, func(b *testing.B) {
			o := instancetest.Open(b, "", c.netbox)
			o.Logs.Reset()
			o.Log.(*logrus.Logger).SetLevel(logrus.WarnLevel)
			if err := o.Pool.UseFile(o.Path); err != nil { // not a stock build
				b.Fatal(err)
			}
			h, err := setup(o.Pool, nil)
			if err != nil {
				b.Fatal(err)
			}
			req := dhcp4test.Request(b, dhcpv4.MessageTypeDiscover, c.mods...)
			b.ReportAllocs()
			for b.Loop() {
				resp := dhcp4test.Prepared(b, req)
				x := o.Pool.Exchanges.Open(req, dhcp4.Ingress{})
				x.Prompt, x.Parks = true, true
				if resp, _ := h(req, resp); resp == nil {
					b.Fatal("no reply")
				}
				o.Pool.Exchanges.Close(req)
			}
		})
	}
}

// BenchmarkHistory compares renewals of a static host with and without a history, by
// turns, and reports what one costs as a multiple of the other: for the packet, and in
// processor time for the whole program.
func BenchmarkHistory(b *testing.B) {
	const turn = 500
	var took, cpu [2][]time.Duration
	var sides [2]func()
	for side, settings := range []string{"history: {keep: 0s}", "history: {keep: 720h}"} {
		o := instancetest.Open(b, settings, inventory)
		o.Logs.Reset()
		o.Log.(*logrus.Logger).SetLevel(logrus.WarnLevel)
		if err := o.Pool.UseFile(o.Path); err != nil { // not a stock build
			b.Fatal(err)
		}
		h, err := setup(o.Pool, nil)
		if err != nil {
			b.Fatal(err)
		}
		req := dhcp4test.Request(b, dhcpv4.MessageTypeRequest, dhcpv4.WithClientIP(net.IPv4(10, 0, 0, 10)))
		sides[side] = func() {
			resp := dhcp4test.Prepared(b, req)
			x := o.Pool.Exchanges.Open(req, dhcp4.Ingress{})
			x.Prompt, x.Parks = true, true
			h(req, resp)
			if x.Decision.Verdict != lease.Ack {
				b.Fatalf("%+v", x.Decision)
			}
			o.Pool.Exchanges.Close(req)
		}
	}
	for b.Loop() {
		for side, answer := range sides {
			before, began := cpuTime(b), time.Now()
			for range turn {
				answer()
			}
			took[side], cpu[side] = append(took[side], time.Since(began)), append(cpu[side], cpuTime(b)-before)
		}
	}
	b.ReportMetric(median(took[1])/median(took[0]), "times-the-packet")
	b.ReportMetric(median(cpu[1])/median(cpu[0]), "times-the-cpu")
	b.ReportMetric(median(took[0])/turn, "ns/message-without")
	b.ReportMetric(0, "ns/op")
}

func median(list []time.Duration) float64 {
	slices.Sort(list)
	return float64(list[len(list)/2])
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

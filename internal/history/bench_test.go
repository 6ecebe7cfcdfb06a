package history

import (
	"fmt"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"
)

const (
	benchClients = 100000
	benchDays    = 30
)

func benchSpan(client, day int) Span {
	at := noon.AddDate(0, 0, day)
	return Span{Addr: netip.AddrFrom4([4]byte{10, byte(client >> 16), byte(client >> 8), byte(client)}), Client: fmt.Sprintf("52:54:00:%02X:%02X:%02X", client>>16, client>>8&255, client&255),
		Hostname: fmt.Sprintf("laptop-%d", client), Network: netip.MustParsePrefix("10.0.0.0/8"), Relay: netip.MustParseAddr("10.0.0.1"), Interface: "eth0",
		Circuit: fmt.Sprintf("Gi1/0/%d", client%48), Remote: fmt.Sprintf("sw%d", client/48), Begin: at, Heard: at.Add(8 * time.Hour), Until: at.Add(8*time.Hour + 30*time.Minute)}
}

// BenchmarkFind asks a history of 100 000 clients that were there on each of 30 days, all
// files of which lie in the cache of the system. docs/adr/0051 has the figures.
func BenchmarkFind(b *testing.B) {
	l := open(b, Options{Folder: b.TempDir()}, 0)
	for day := range benchDays {
		spans := make([]Span, 0, benchClients)
		for client := range benchClients {
			s := benchSpan(client, day)
			s.End, s.How = s.Until, Expired
			spans = append(spans, s)
		}
		if err := l.appendSpans(noon.AddDate(0, 0, day).Format(dayForm)+daySuffix, spans); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("%d MB in files", l.measure()>>20)
	s := benchSpan(7777, 0)

	for name, q := range map[string]Query{
		"address":     {Prefix: netip.PrefixFrom(s.Addr, 32)},
		"address-day": {Prefix: netip.PrefixFrom(s.Addr, 32), From: noon.AddDate(0, 0, 29)},
		"client":      {Client: s.Client},
		"name":        {Name: "laptop-7777"},
		"circuit":     {Circuit: "sw99"},
	} {
		b.Run(name, func(b *testing.B) {
			before := cpuTime(b)
			defer func() { b.ReportMetric(float64((cpuTime(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op") }()
			for b.Loop() {
				if got := find(b, l, q); len(got) == 0 {
					b.Fatal("nothing was found")
				}
			}
		})
	}
}

// cpuTime is what the process has used so far: it tells more than the clock where other
// work is done beside.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkRunning is what 100 000 spans that run cost: memory, a renewal, and a checkpoint.
func BenchmarkRunning(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	l := open(b, Options{Folder: b.TempDir()}, 0)
	for client := range benchClients {
		l.Saw(benchSpan(client, 0))
	}
	if err := l.Flush(noon); err != nil {
		b.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.Run("renewal", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			l.Saw(benchSpan(n%benchClients, 0))
		}
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/benchClients, "B/span")
	})
	b.Run("checkpoint", func(b *testing.B) {
		cpu := cpuTime(b)
		defer func() { b.ReportMetric(float64((cpuTime(b)-cpu).Milliseconds())/float64(b.N), "cpu-ms/op") }()
		for b.Loop() {
			if err := l.Checkpoint(noon); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(l.measure())/benchClients, "B/span")
	})
	b.Run("start", func(b *testing.B) {
		for b.Loop() {
			open(b, l.options, 0)
		}
	})
	b.Run("sweep", func(b *testing.B) {
		for b.Loop() {
			l.Sweep(noon)
		}
	})
}

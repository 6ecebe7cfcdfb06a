package openssh_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/psu"
)

// BenchmarkFiftyThousandLeases reads all leases of one server through each door. The
// stand-ins of the server run in the same process and count in both; that of SSH has one
// more to carry the answer to PowerShell. peak-MB is the most the heap held.
func BenchmarkFiftyThousandLeases(b *testing.B) {
	l := newLab(b)
	l.windows.Edit(func(w *psutest.World) { *w = psutest.Campus("dh1.corp.example", 200, 250, time.Now()) })
	direct, err := psu.New(psu.Config{Host: l.windows.Host(), Port: l.windows.Port(), Token: func() (string, error) { return l.windows.Writer(), nil }})
	if err != nil {
		b.Fatal(err)
	}
	http, err := endpoint.New(direct, endpoint.Config{}, quiet())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(http.Close)
	for _, door := range []struct {
		name   string
		client *endpoint.Client
	}{{"psu", http}, {"ssh", l.client()}} {
		b.Run(door.name, func(b *testing.B) {
			if _, err := door.client.Health(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			runtime.GC()
			peak, stop := watchHeap()
			for b.Loop() {
				all := door.client.AllLeases(b.Context(), nil)
				leases := 0
				for _, scope := range all.Scopes() {
					leases += len(all.Of(scope).Items)
				}
				if leases != 50_000 {
					b.Fatalf("%d leases: %v", leases, all.Err())
				}
			}
			stop()
			b.ReportMetric(float64(<-peak)/(1<<20), "peak-MB")
		})
	}
}

// watchHeap samples the heap until it is stopped, and then gives the most it held.
func watchHeap() (peak <-chan uint64, stop func()) {
	out, end := make(chan uint64, 1), make(chan struct{})
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		var most uint64
		for {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapInuse)
			select {
			case <-tick.C:
			case <-end:
				out <- most
				return
			}
		}
	}()
	return out, func() { close(end) }
}

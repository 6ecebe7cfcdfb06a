package pebblestore

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// BenchmarkCompareAndSwap measures durable leases per second; BenchmarkBareLog
// beside it is what the disk allows. docs/adr/0003 has the figures.
func BenchmarkCompareAndSwap(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s, err := Open(b.TempDir(), silent())
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			run(b, callers, func(caller, n int) error {
				next := lease.Lease{Addr: hostOf(caller, n), Client: "52:54:00:AA:BB:CC", State: lease.Bound,
					Expires: time.Unix(1893553445, 0), Hostname: "printer", Unsynced: true}
				// Every caller goes over its 1024 addresses again and again.
				_, err := lease.CompareAndSwap(b.Context(), s, next, lease.Revision(n/1024))
				return err
			})
		})
	}
}

// BenchmarkOpen opens a store of 100 000 leases, as a restart does, and
// reports what the process then holds in memory, the test binary included.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	s, err := Open(dir, silent())
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	for caller := range 100 {
		wg.Go(func() {
			for n := range 1000 {
				if _, err := lease.CompareAndSwap(b.Context(), s, crashLease(hostOf(caller, n), 1), 0); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := Open(dir, silent())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(residentMB(b), "MB-resident")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func residentMB(b *testing.B) float64 {
	b.Helper()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	var total, resident int
	if _, err := fmt.Sscan(string(data), &total, &resident); err != nil {
		b.Fatal(err)
	}
	return float64(resident*os.Getpagesize()) / (1 << 20)
}

// run has callers call op b.N times in all, and reports calls per second.
func run(b *testing.B, callers int, op func(caller, n int) error) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	before := cpuTime(b)
	b.ResetTimer()
	for caller := range callers {
		wg.Go(func() {
			for n := 0; left.Add(-1) >= 0; n++ {
				if err := op(caller, n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "leases/s")
	b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/float64(b.N)/1000, "cpu-us/lease")
	b.ReportMetric(0, "ns/op")
}

// cpuTime is what the process has used so far, in user and system mode.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func BenchmarkBareLog(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			log := newBareLog(b)
			defer log.close()
			run(b, callers, func(caller, n int) error {
				l := lease.Lease{Addr: hostOf(caller, n), Client: "52:54:00:AA:BB:CC", State: lease.Bound,
					Expires: time.Unix(1893553445, 0), Hostname: "printer", Unsynced: true}
				key, err := encodeKey(l.Addr)
				if err != nil {
					return err
				}
				return log.append(appendValue(key, key, l, lease.Revision(n)))
			})
		})
	}
}

func hostOf(caller, n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(caller), byte(n % 1024 >> 8), byte(n)})
}

// bareLog is the least a durable group commit can be: records that arrive
// during one fdatasync share the next. It cannot be read back.
type bareLog struct {
	file    *os.File
	records chan record
	ended   chan struct{}
}

type record struct {
	data []byte
	done chan error
}

func newBareLog(b *testing.B) *bareLog {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	// Room is taken ahead, so that fdatasync has no length to write; Pebble
	// does the same.
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, 256<<20); err != nil {
		b.Fatal(err)
	}
	l := &bareLog{file: f, records: make(chan record, maxRound), ended: make(chan struct{})}
	go l.run()
	return l
}

func (l *bareLog) append(data []byte) error {
	r := record{data, make(chan error, 1)}
	l.records <- r
	return <-r.done
}

func (l *bareLog) run() {
	defer close(l.ended)
	var data []byte
	for first := range l.records {
		waiting := []record{first}
		data = append(data[:0], first.data...)
		for more := true; more && len(waiting) < maxRound; {
			select {
			case r := <-l.records:
				waiting, data = append(waiting, r), append(data, r.data...)
			default:
				more = false
			}
		}
		_, err := l.file.Write(data)
		if err == nil {
			err = syscall.Fdatasync(int(l.file.Fd()))
		}
		for _, r := range waiting {
			r.done <- err
		}
	}
}

func (l *bareLog) close() {
	close(l.records)
	<-l.ended
	_ = l.file.Close()
}

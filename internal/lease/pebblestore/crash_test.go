package pebblestore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// crashDirEnv tells the test binary to be the process that is killed.
const crashDirEnv = "PEBBLESTORE_CRASH_DIR"

const crashWriters, crashAddrs = 8, 16 // addresses of each writer

// crashLease is what is stored for addr at rev, so that a lease found later
// can be checked against its revision.
func crashLease(addr netip.Addr, rev lease.Revision) lease.Lease {
	return lease.Lease{Addr: addr, Client: "52:54:00:AA:BB:CC", State: lease.Bound,
		Expires: time.Unix(int64(rev), 0).UTC(), Hostname: fmt.Sprintf("%s at %d", addr, rev)}
}

// write stores leases for ever, each writer on its own addresses, and calls
// acked after each that is durable. It returns when a store fails.
func write(ctx context.Context, s *Store, acked func(netip.Addr, lease.Revision)) {
	var wg sync.WaitGroup
	for w := range crashWriters {
		wg.Go(func() {
			var revs [crashAddrs]lease.Revision
			for i := range revs {
				_, revs[i], _ = s.Lease(ctx, hostOf(w, i)) // 0 where there is none
			}
			// Some write one lease at a time, and some a group.
			atOnce := 1 + w%2*(crashAddrs-1)
			for n := 0; ; n += atOnce {
				var group []lease.Change
				for i := range atOnce {
					at := (n + i) % crashAddrs
					group = append(group, lease.Change{Next: crashLease(hostOf(w, at), revs[at]+1), Expected: revs[at]})
				}
				if errors.Join(s.CommitGroup(ctx, group)...) != nil {
					return
				}
				for i, c := range group {
					revs[(n+i)%crashAddrs]++
					acked(c.Next.Addr, c.Expected+1)
				}
			}
		})
	}
	wg.Wait()
}

// crashWriter is the process that is killed: it tells of every acknowledged
// lease on its standard output, one write per line, until it dies.
func crashWriter(dir string) {
	s, err := Open(dir, silent())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	write(context.Background(), s, func(addr netip.Addr, rev lease.Revision) {
		fmt.Fprintf(os.Stdout, "%s %d\n", addr, rev)
	})
	fmt.Fprintln(os.Stderr, s.Err())
	os.Exit(1)
}

// TestKillLosesNothing: S-2, a crash at any moment loses no acknowledged lease
// and leaves no torn one.
func TestKillLosesNothing(t *testing.T) {
	dir := t.TempDir()
	acked := make(map[netip.Addr]lease.Revision)
	for round := range 50 {
		killAfter(t, dir, 1+rand.IntN(600), acked)
		s, err := Open(dir, silent())
		if err != nil {
			t.Fatalf("after kill %d: %v", round, err)
		}
		checkAcked(t, s, acked)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			t.Fatalf("after kill %d", round)
		}
	}
}

// killAfter runs a writer in dir, kills it once it has acknowledged n leases,
// and notes everything it acknowledged before it died.
func killAfter(t *testing.T, dir string, n int, acked map[netip.Addr]lease.Revision) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashDirEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for seen := 0; lines.Scan(); {
		var addr string
		var rev lease.Revision
		if _, err := fmt.Sscan(lines.Text(), &addr, &rev); err != nil {
			t.Fatalf("line %q: %v", lines.Text(), err)
		}
		acked[netip.MustParseAddr(addr)] = rev
		if seen++; seen == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("the writer was not killed: %v", err)
	}
}

// checkAcked checks that every acknowledged lease is stored, at that revision
// or a later one, and that nothing is stored that was never written.
func checkAcked(t *testing.T, s *Store, acked map[netip.Addr]lease.Revision) {
	t.Helper()
	found := make(map[netip.Addr]lease.Revision)
	err := s.Each(t.Context(), func(l lease.Lease, rev lease.Revision) error {
		if l != crashLease(l.Addr, rev) {
			t.Errorf("%v at %d was never written", l, rev)
		}
		found[l.Addr] = rev
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for addr, rev := range acked {
		if found[addr] < rev {
			t.Errorf("%s is at revision %d, acknowledged was %d", addr, found[addr], rev)
		}
	}
}

// TestPowerCutLosesNothing cuts the power in the middle of writes: what was
// not synced is lost block by block, at random.
func TestPowerCutLosesNothing(t *testing.T) {
	disk := vfs.NewCrashableMem()
	s := mustOpen(t, "/leases", disk)
	var mu sync.Mutex
	acked := make(map[netip.Addr]lease.Revision)
	ctx, stop := context.WithCancel(t.Context())
	progress := make(chan struct{}, 1)
	var writers sync.WaitGroup
	writers.Go(func() {
		write(ctx, s, func(addr netip.Addr, rev lease.Revision) {
			mu.Lock()
			acked[addr] = rev
			mu.Unlock()
			select {
			case progress <- struct{}{}:
			default:
			}
		})
	})
	defer writers.Wait()
	defer stop()
	for cut := range 50 {
		for range 1 + rand.IntN(300) {
			<-progress
		}
		mu.Lock()
		before := make(map[netip.Addr]lease.Revision, len(acked))
		for addr, rev := range acked {
			before[addr] = rev
		}
		mu.Unlock()
		seed := [32]byte{byte(cut)}
		after := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: cut * 2, RNG: rand.New(rand.NewChaCha8(seed))})
		t.Run(strconv.Itoa(cut), func(t *testing.T) { checkAcked(t, mustOpen(t, "/leases", after), before) })
	}
}

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/bench/load"
)

// plan is what is to be measured.
type plan struct {
	parts  map[string]bool
	rounds int
	window int // exchanges under way
	time   time.Duration
	hosts  int   // of the lists of known hosts
	curve  []int // leases and hosts
}

// poolSize is one /16 without its first and last network.
const poolSize = 254*256 + 255

// size is how many addresses or hosts a peer has.
func (pl *plan) size(p *peer) int {
	size := poolSize
	if p.known {
		size = pl.hosts
	}
	if p.most != 0 {
		size = min(size, p.most)
	}
	return size
}

// round measures one peer once. A figure is told as soon as it is there.
func (l *lab) round(ctx context.Context, pl *plan, p *peer, tell func(figure)) error {
	one := setting{cpus: 1, size: pl.size(p)}
	steps := []struct {
		part string
		run  func() error
	}{
		{partClosed, func() error { return l.saturated(ctx, pl, p, one, tell) }},
		{partCores, func() error { return l.cores(ctx, pl, p, tell) }},
		{partSyncs, func() error { return l.syncs(ctx, pl, p, one, tell) }},
		{partSlow, func() error { return l.slowDisk(ctx, pl, p, one, tell) }},
		{partLeases, func() error { return l.leases(ctx, pl, p, tell) }},
		{partHosts, func() error { return l.hosts(ctx, pl, p, tell) }},
		{partPage, func() error { return l.page(ctx, pl, p, one, tell) }},
	}
	for _, step := range steps {
		if !pl.parts[step.part] {
			continue
		}
		if err := step.run(); err != nil {
			return err
		}
	}
	return nil
}

// trial is one load on a fresh server.
func (l *lab) trial(ctx context.Context, p *peer, s setting, part string, shoot func(*session) (*load.Result, error)) (f figure, err error) {
	err = l.with(ctx, p, s, func(n *session) error {
		f, err = n.measure(part, func() (*load.Result, error) { return shoot(n) })
		return err
	})
	return f, err
}

// manyExchanges is more than a closed loop can start.
const manyExchanges = 1 << 20

func (l *lab) closed(ctx context.Context, pl *plan, p *peer, s setting, part string) (figure, error) {
	return l.trial(ctx, p, s, part, func(n *session) (*load.Result, error) {
		return l.socket.Closed(ctx, n.clients, pl.window, manyExchanges, pl.time)
	})
}

func (l *lab) open(ctx context.Context, pl *plan, p *peer, s setting, part string, rate float64) (f figure, sustained bool, err error) {
	f, err = l.trial(ctx, p, s, part, func(n *session) (*load.Result, error) {
		result, err := l.socket.Open(ctx, n.clients, rate, pl.time)
		sustained = err == nil && result.Sustained(rate)
		return result, err
	})
	return f, sustained, err
}

// saturated measures the closed loop and, if wanted, searches around it for
// the highest steady rate and looks at half of that.
func (l *lab) saturated(ctx context.Context, pl *plan, p *peer, s setting, tell func(figure)) error {
	f, err := l.closed(ctx, pl, p, s, partClosed)
	if err != nil {
		return err
	}
	tell(f)
	if !pl.parts[partHighest] {
		return nil
	}
	var best figure
	highest, err := load.Search(0.3*f.Rate, 1.35*f.Rate, func(rate float64) (bool, error) {
		g, ok, err := l.open(ctx, pl, p, s, partHighest, rate)
		if err == nil && !ok { // perhaps another program had the processor
			g, ok, err = l.open(ctx, pl, p, s, partHighest, rate)
		}
		if ok {
			best = g
		}
		return ok, err
	})
	if err != nil {
		return err
	}
	if highest == 0 { // foreign load, or a server that cannot queue
		highest = f.Rate / 3
	} else {
		tell(best)
	}
	half, _, err := l.open(ctx, pl, p, s, partHalf, highest/2)
	if err != nil {
		return err
	}
	tell(half)
	return nil
}

// cores measures the closed loop with two processors for the server. The load
// has to share one of them where there are only two.
func (l *lab) cores(ctx context.Context, pl *plan, p *peer, tell func(figure)) error {
	f, err := l.closed(ctx, pl, p, setting{cpus: 2, size: pl.size(p)}, partCores)
	if err != nil {
		return err
	}
	tell(f)
	return nil
}

// traced is strace in front of a server: it follows all threads, stops them
// only where they sync, and leaves the server its own process id.
func traced(to string, more ...string) []string {
	const calls = "fsync,fdatasync,msync,sync_file_range"
	return append([]string{lookPath("strace"), "-D", "-f", "--seccomp-bpf", "-qq", "-o", to, "-e", "trace=" + calls}, more...)
}

var syncCall = regexp.MustCompile(`\b(fsync|fdatasync|msync|sync_file_range)\(`)

// syncs counts how often the server syncs for 200 exchanges.
func (l *lab) syncs(ctx context.Context, pl *plan, p *peer, s setting, tell func(figure)) error {
	if !p.durable {
		return nil
	}
	record := filepath.Join(l.folder, "syncs")
	s.tracer = traced(record)
	var count float64
	f, err := l.trial(ctx, p, s, partSyncs, func(n *session) (*load.Result, error) {
		before, err := countSyncs(record)
		if err != nil {
			return nil, err
		}
		result, err := l.socket.Closed(ctx, n.clients, pl.window, 200, time.Minute)
		if err != nil {
			return nil, err
		}
		after, err := countSyncs(record)
		count = float64(after - before)
		return result, err
	})
	if err != nil {
		return err
	}
	f.Syncs = count
	tell(f)
	return nil
}

func countSyncs(path string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return len(syncCall.FindAll(text, -1)), nil
}

// slowDisk delays each sync by 5 ms and puts a steady 600 exchanges a second
// on the server.
func (l *lab) slowDisk(ctx context.Context, pl *plan, p *peer, s setting, tell func(figure)) error {
	if !p.durable || p.most != 0 { // too slow even with a fast disk
		return nil
	}
	s.tracer = traced(os.DevNull, "-e", "inject=fsync,fdatasync:delay_exit=5000")
	const rate = 600
	f, _, err := l.open(ctx, pl, p, s, partSlow, rate)
	if err != nil {
		return err
	}
	tell(f)
	return nil
}

// room is how many clients come new to a pool of the curve over leases.
const room = 40_000

// leases measures new clients of a server that has so many leases already.
func (l *lab) leases(ctx context.Context, pl *plan, p *peer, tell func(figure)) error {
	if p.known || p.most != 0 {
		return nil
	}
	for _, count := range pl.curve {
		s := setting{cpus: 1, size: count + room + spare}
		err := l.with(ctx, p, s, func(n *session) error {
			f, err := l.fill(ctx, pl, n, count)
			if err == nil {
				tell(f)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("%d leases: %w", count, err)
		}
	}
	return nil
}

// fill gives out leases, and then measures clients beside them.
func (l *lab) fill(ctx context.Context, pl *plan, n *session, count int) (f figure, err error) {
	old, fresh := n.clients, n.clients
	old.Count, fresh.First, fresh.Count = count, n.clients.First+uint32(count), room
	filled, err := l.socket.Closed(ctx, old, pl.window, count, time.Hour)
	if err == nil {
		err = n.judge(filled)
	}
	if err != nil {
		return f, err
	}
	f, err = n.measure(partLeases, func() (*load.Result, error) { return l.socket.Closed(ctx, fresh, pl.window, room, pl.time) })
	f.Leases = count
	return f, err
}

// hosts measures lists of known hosts of several lengths.
func (l *lab) hosts(ctx context.Context, pl *plan, p *peer, tell func(figure)) error {
	if !p.known || p.bare {
		return nil
	}
	for _, count := range pl.curve {
		f, err := l.closed(ctx, pl, p, setting{cpus: 1, size: count}, partHosts)
		if err != nil {
			return fmt.Errorf("%d hosts: %w", count, err)
		}
		tell(f)
	}
	return nil
}

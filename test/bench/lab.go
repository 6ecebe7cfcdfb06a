package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/bench/load"
)

// lab is two hosts with a cable, on processors of their own.
type lab struct {
	binary     string // of this project
	self       string // the bench, which is also the stubs and CoreDHCP
	folder     string
	server     *host
	relay      *host
	socket     *load.Relay
	serverAt   []int // processors, for one and for several
	nice       int   // of servers and load; 0 is as they come
	niceBefore int   // of the session that the bench is in
	progress   io.Writer
}

// listenAt is where every server listens.
func listenAt() netip.AddrPort { return netip.AddrPortFrom(labAddresses().server.Addr(), 67) }

// newLab builds the lab. The load has the first processor, the server the last,
// and the one before it where it gets two.
func newLab(binary string, nice int, progress io.Writer) (l *lab, err error) {
	l = &lab{nice: nice, progress: progress, serverAt: []int{runtime.NumCPU() - 1, max(0, runtime.NumCPU()-2)}}
	if l.binary, err = filepath.Abs(binary); err != nil {
		return nil, err
	}
	if l.self, err = os.Executable(); err != nil {
		return nil, err
	}
	if l.folder, err = os.MkdirTemp("/var/tmp", "coredhcp-netbox-bench-"); err != nil { // /tmp may be no disk
		return nil, err
	}
	if err := l.build(); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *lab) build() (err error) {
	if err := claimSelf(l.nice, 0); err != nil {
		return err
	}
	if l.nice != 0 {
		if l.niceBefore, err = niceSession(os.Getpid(), l.nice); err != nil {
			return err
		}
	}
	if l.server, err = newHost(l.nice); err != nil {
		return err
	}
	if l.relay, err = newHost(l.nice); err != nil {
		return err
	}
	a := labAddresses()
	if err := connect(l.server, l.relay, a); err != nil {
		return err
	}
	return l.relay.do(func() error {
		l.socket, err = load.Dial(listenAt(), netip.AddrPortFrom(a.giaddr.Addr(), 67))
		return err
	})
}

func (l *lab) close() error {
	if l.socket != nil {
		_ = l.socket.Close() // it was only measured with
	}
	for _, h := range []*host{l.server, l.relay} {
		if h != nil {
			h.close()
		}
	}
	err := os.RemoveAll(l.folder)
	if l.nice != 0 {
		_, niceErr := niceSession(os.Getpid(), l.niceBefore)
		err = errors.Join(err, niceErr)
	}
	return err
}

// setting is what a server is started with.
type setting struct {
	cpus   int
	size   int      // addresses of the pool, or known hosts
	page   bool     // a server of ours has its status page on
	tracer []string // command that runs the server's
}

// session is one fresh server that answers.
type session struct {
	lab     *lab
	peer    *peer
	process *process
	clients load.Clients
	folder  string
	setting setting
	started time.Duration // until it answered
}

// with starts a peer with nothing in its store, waits until it answers, and
// ends it after f.
func (l *lab) with(ctx context.Context, p *peer, s setting, f func(*session) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", p.name, err)
		}
	}()
	folder, err := os.MkdirTemp(l.folder, p.name+"-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	w := &world{
		Binary: l.binary, Bench: l.self, Folder: folder, Interface: serverSide, Server: listenAt().Addr(),
		Size: s.size, Known: p.known, Wide: p.wide, CPUs: s.cpus, Page: s.page,
	}
	command, err := p.prepare(w)
	if err != nil {
		return err
	}
	if err := l.server.claim(l.serverAt[:s.cpus]...); err != nil {
		return err
	}
	process, err := l.server.start(folder, append(s.tracer, command...))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, process.end()) }()
	n := &session{lab: l, peer: p, process: process, clients: w.clients(), folder: folder, setting: s}
	if err := n.ready(ctx, w.probe()); err != nil {
		return err
	}
	return f(n)
}

// ready asks until the server answers.
func (n *session) ready(ctx context.Context, probe load.Clients) error {
	socket, patience := n.lab.socket, n.lab.socket.Patience
	defer func() { socket.Patience = patience }()
	socket.Patience = 200 * time.Millisecond // and then asks again
	const most = time.Minute
	for begin := time.Now(); n.started < most; {
		result, err := socket.Closed(ctx, probe, 1, 1, time.Second)
		if err != nil {
			return err
		}
		if err := result.Err(); err != nil {
			return err
		}
		n.started = time.Since(begin)
		if result.Done() == 1 {
			return nil
		}
		if err := errors.Join(n.process.alive(), pause(ctx, 20*time.Millisecond)); err != nil {
			return err
		}
	}
	return fmt.Errorf("no answer within %v%s", most, n.process.printed())
}

// judge is an error if a load was served wrongly or not at all.
func (n *session) judge(result *load.Result) error {
	err := errors.Join(result.Err(), n.process.alive())
	if result.Naks > 0 && !n.peer.refuses {
		err = errors.Join(err, fmt.Errorf("%d times an address was offered and then refused", result.Naks))
	}
	if result.Done() == 0 {
		err = errors.Join(err, fmt.Errorf("none of %d exchanges was served", result.Started))
	}
	return err
}

// measure puts one load on the server and says what it cost.
func (n *session) measure(part string, shoot func() (*load.Result, error)) (f figure, err error) {
	server, self := n.process.cmd.Process.Pid, os.Getpid()
	before, err := usageOf(server)
	ownBefore, ownErr := usageOf(self)
	if err := errors.Join(err, ownErr); err != nil {
		return f, err
	}
	result, err := shoot()
	if err != nil {
		return f, err
	}
	if err := n.judge(result); err != nil {
		return f, fmt.Errorf("%s: %w", part, err)
	}
	after, err := usageOf(server)
	own, ownErr := usageOf(self)
	if err := errors.Join(err, ownErr); err != nil {
		return f, err
	}
	f = figure{Part: part, Peer: n.peer.name, CPUs: n.setting.cpus, Size: n.setting.size, Start: n.started.Seconds()}
	f.served(result)
	f.used(before, after, result.Done())
	f.LoadBusy = percent(own.ran-ownBefore.ran, own.at.Sub(ownBefore.at))
	return f, nil
}

// served takes over how a load was served.
func (f *figure) served(r *load.Result) {
	f.Rate, f.Loss, f.Refused, f.Repeated = r.Rate(), r.Loss(), float64(r.Naks), float64(r.Repeated)
	f.OfferP50, f.OfferP99 = milliseconds(r.Offer(0.5)), milliseconds(r.Offer(0.99))
	f.P50, f.P99 = milliseconds(r.Whole(0.5)), milliseconds(r.Whole(0.99))
}

// used takes over what the server needed for so many exchanges.
func (f *figure) used(before, after usage, exchanges int) {
	wall, ran := after.at.Sub(before.at), after.ran-before.ran
	f.CPU = float64(ran.Nanoseconds()) / 1e3 / float64(exchanges)
	f.Busy, f.Delayed = percent(ran, wall), percent(after.waited-before.waited, wall)
	f.ResidentMB, f.PeakMB = after.rssKB/1024, after.peakKB/1024
}

func percent(part, whole time.Duration) float64 { return 100 * float64(part) / float64(whole) }

func milliseconds(d time.Duration) float64 { return float64(d) / 1e6 }

// say tells how far the bench is.
func (l *lab) say(f *figure) {
	fmt.Fprintf(l.progress, "%-8s %-14s %d cpu %7d: %7.0f DORA/s, lost %.2f %%, OFFER p50/p99 %.2f/%.2f ms, whole %.2f/%.2f ms, "+
		"CPU %.1f us, busy %.0f %% waiting %.0f %%, load busy %.0f %%, %.0f MB (peak %.0f)",
		f.Part, f.Peer, f.CPUs, f.Size, f.Rate, 100*f.Loss, f.OfferP50, f.OfferP99, f.P50, f.P99,
		f.CPU, f.Busy, f.Delayed, f.LoadBusy, f.ResidentMB, f.PeakMB)
	if f.Part == partSyncs {
		fmt.Fprintf(l.progress, ", %.0f syncs", f.Syncs)
	}
	if f.Refused+f.Repeated > 0 {
		fmt.Fprintf(l.progress, ", %.0f refused, %.0f answered twice", f.Refused, f.Repeated)
	}
	fmt.Fprintln(l.progress)
}

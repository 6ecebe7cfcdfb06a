package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/bench/load"
)

// pageRate is the steady rate of the part page, as a share of the closed loop: all
// exchanges are served in time, so that a change of their times is one of the page.
const pageRate = 0.4

// page measures a server of ours at a steady rate, with its page off and with the page
// open, by turns. The server of the second kind is asked each second for its metrics, its
// first page and its leases, and tells its messages as they come.
func (l *lab) page(ctx context.Context, pl *plan, p *peer, s setting, tell func(figure)) error {
	if !slices.Contains(p.files, "ours.yml") {
		return nil
	}
	closed, err := l.closed(ctx, pl, p, s, partClosed)
	if err != nil {
		return err
	}
	rate := pageRate * closed.Rate
	off, _, err := l.open(ctx, pl, p, s, partPage, rate)
	if err != nil {
		return err
	}
	tell(off)
	s.page = true
	on, err := l.trial(ctx, p, s, partPageOpen, func(n *session) (*load.Result, error) {
		looking, err := look(ctx, filepath.Join(n.folder, "page.sock"))
		if err != nil {
			return nil, err
		}
		result, err := l.socket.Open(ctx, n.clients, rate, pl.time)
		if looked := looking(); err == nil && looked != nil {
			err = looked
		}
		return result, err
	})
	if err == nil {
		tell(on)
	}
	return err
}

// look opens the page at a socket, until stop is called, which tells whether all of it
// was there.
func look(ctx context.Context, socket string) (stop func() error, err error) {
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}}
	get := func(ctx context.Context, path string) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
		if err != nil {
			return err
		}
		answer, err := client.Do(r)
		if err != nil {
			return err
		}
		defer func() { _ = answer.Body.Close() }()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", path, answer.Status)
		}
		_, err = io.Copy(io.Discard, answer.Body)
		return err
	}
	if err := get(ctx, "/healthz"); err != nil {
		return nil, fmt.Errorf("the page is not served: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var looking sync.WaitGroup
	looking.Go(func() { _ = get(ctx, "/api/messages.stream") }) // it ends when nobody looks
	failed := make(chan error, 1)
	looking.Go(func() {
		every := time.NewTicker(time.Second)
		defer every.Stop()
		for {
			for _, path := range []string{"/metrics", "/", "/api/leases.json"} {
				if err := get(ctx, path); err != nil && ctx.Err() == nil {
					failed <- err
					return
				}
			}
			select {
			case <-ctx.Done():
				return
			case <-every.C:
			}
		}
	})
	return func() error {
		cancel()
		looking.Wait()
		client.CloseIdleConnections()
		select {
		case err := <-failed:
			return err
		default:
			return nil
		}
	}, nil
}

// pages compares the times with the page open and off.
func (r *report) pages() table {
	t := table{
		title: "Steady rate with the status page off and open",
		head:  []string{"peer", "exchanges/s", "off: p50 / p99 ms", "open: p50 / p99 ms", "p99 open, of off", "CPU open, of off"},
	}
	for i := range r.Medians {
		on := &r.Medians[i]
		off, ok := r.Medians.find(partPage, on.Peer)
		if on.Part != partPageOpen || !ok {
			continue
		}
		t.rows = append(t.rows, []string{
			on.Peer, number(on.Rate), fmt.Sprintf("%.2f / %.2f", off.P50, off.P99), fmt.Sprintf("%.2f / %.2f", on.P50, on.P99),
			fmt.Sprintf("%.2f", on.P99/off.P99), fmt.Sprintf("%.2f", on.CPU/off.CPU),
		})
	}
	return t
}

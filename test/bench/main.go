// Command bench measures DISCOVER-to-ACK exchanges a second of the real
// program beside two stand-ins that do nothing but decode and encode, all in
// one run on one machine: the server on one core, the load on another. Only
// the ratios mean anything, and differences below a quarter do not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "stub" {
		if err := stub(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "stub:", err)
			os.Exit(1)
		}
		return
	}
	server := flag.String("server", "", "path of coredhcp-netbox")
	hosts := flag.Int("hosts", 100_000, "known hosts in the inventory")
	rounds := flag.Int("rounds", 3, "rounds; medians are reported")
	window := flag.Duration("window", 2*time.Second, "length of one measurement")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := bench{binary: *server, hosts: *hosts, rounds: *rounds, window: *window, out: os.Stdout, progress: os.Stderr}
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	binary   string
	hosts    int
	rounds   int
	window   time.Duration
	out      io.Writer
	progress io.Writer
	folder   string
}

// subject is one program under load.
type subject struct {
	name  string
	start func(ctx context.Context) (*process, error)
	// clients is how many different clients the load cycles through.
	clients int
}

// result is what was measured of one subject.
type result struct {
	rates     []float64 // highest rate under 1 % loss, DORA/s, one a round
	p50, p99  time.Duration
	cpu       time.Duration // of the server, per DORA
	residentK int64
}

func (b *bench) run(ctx context.Context) (err error) {
	if runtime.NumCPU() < 2 {
		return fmt.Errorf("two cores are needed, one for the server and one for the load")
	}
	if b.folder, err = os.MkdirTemp("", "coredhcp-netbox-bench-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.folder) }()
	if err := pin(0, 1); err != nil {
		return err
	}
	subjects := []subject{
		{"decode-encode stub", b.stub(""), b.hosts},
		{"stub with grouped fdatasync", b.stub(filepath.Join(b.folder, "stub.log")), b.hosts},
		{"static leases", b.server("static"), b.hosts},
		{"dynamic leases, durable", b.server("dynamic"), 50_000},
	}
	results := make([]result, len(subjects))
	for i, s := range subjects {
		if results[i], err = b.measure(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return b.report(subjects, results)
}

// measure starts the subject and finds its highest rate several times, then
// looks at half of it closely.
func (b *bench) measure(ctx context.Context, s subject) (r result, err error) {
	p, err := s.start(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	l, err := newLoad(p.addr, s.clients)
	if err != nil {
		return r, err
	}
	defer l.close()
	if err := l.warmUp(ctx); err != nil {
		return r, err
	}
	for round := range b.rounds {
		rate, err := l.search(ctx, b.window)
		if err != nil {
			return r, err
		}
		fmt.Fprintf(b.progress, "%s: round %d: %.0f DORA/s\n", s.name, round+1, rate)
		r.rates = append(r.rates, rate)
	}
	before := p.cpu()
	half, err := l.shoot(ctx, median(r.rates)/2, b.window)
	if err != nil {
		return r, err
	}
	r.p50, r.p99 = half.quantile(0.5), half.quantile(0.99)
	r.cpu = (p.cpu() - before) / time.Duration(max(1, half.done))
	r.residentK = p.residentK()
	return r, nil
}

func (b *bench) report(subjects []subject, results []result) error {
	t := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\t DORA/s\t of stub\t of synced stub\t p50 ms\t p99 ms\t CPU us\t MB\t")
	for i, r := range results {
		rate := median(r.rates)
		fmt.Fprintf(t, "%s\t %.0f\t %.2f\t %.2f\t %.2f\t %.2f\t %.0f\t %d\t\n", subjects[i].name, rate,
			rate/median(results[0].rates), rate/median(results[1].rates),
			r.p50.Seconds()*1e3, r.p99.Seconds()*1e3, float64(r.cpu.Nanoseconds())/1e3, r.residentK/1024)
	}
	return t.Flush()
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

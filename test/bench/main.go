// Command bench measures DHCP servers side by side in one run on one machine:
// this project, other servers as far as they are installed, and two stubs that
// show what the machine can do. Only the ratios mean anything, and differences
// below a quarter do not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := dispatch(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// dispatch is the bench, or one of the servers that it brings along.
func dispatch(ctx context.Context, args []string, out, progress io.Writer) error {
	switch {
	case len(args) > 0 && args[0] == "stub":
		return stub(strings.Join(args[1:], ""))
	case len(args) == 2 && args[0] == "coredhcp":
		return coreDHCP(args[1])
	}
	o, err := parse(args, progress)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case o.list:
		return listPeers(out)
	case o.from != "":
		r, err := readReport(o.from)
		if err != nil {
			return err
		}
		return o.tell(r, out)
	case runtime.NumCPU() < 2 && !o.short:
		return errors.New("two processors are needed, one for the server and one for the load")
	}
	return o.bench(ctx, out, progress)
}

// options are what the command line asks for.
type options struct {
	plan
	binary   string
	chosen   []peer
	list     bool
	short    bool
	require  bool
	nice     int
	from     string
	json     bool
	markdown string
}

func parse(args []string, progress io.Writer) (*options, error) {
	var o options
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.SetOutput(progress)
	set.StringVar(&o.binary, "server", "bin/coredhcp-netbox", "path of this project's server")
	set.BoolVar(&o.list, "peers", false, "list the servers that can be measured, and leave it at that")
	names := set.String("peer", "", "measure only these peers, with commas between them")
	parts := set.String("part", strings.Join(allParts(), ","), "measure only these parts")
	set.BoolVar(&o.short, "short", false, "every server answers a few hundred exchanges; only an error fails")
	set.BoolVar(&o.require, "require", false, "a peer that is not installed is an error")
	set.IntVar(&o.rounds, "rounds", 3, "rounds; medians are reported")
	set.DurationVar(&o.time, "time", 2500*time.Millisecond, "length of one load")
	set.IntVar(&o.window, "window", 64, "exchanges under way in the closed loop")
	set.IntVar(&o.hosts, "hosts", 10_000, "known hosts")
	curve := set.String("curve", "1000,10000,100000", "leases and hosts of the curves")
	set.IntVar(&o.nice, "nice", 0, "niceness of servers and load: below 0 where others use the machine, too")
	set.StringVar(&o.from, "from", "", "measure nothing and show what -json printed into this file")
	set.BoolVar(&o.json, "json", false, "print JSON instead of tables")
	set.StringVar(&o.markdown, "markdown", "", "write the tables also into this page, between its two marks")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	if o.short {
		*parts, o.rounds, o.time, o.hosts = partClosed+","+partSyncs+","+partSlow, 1, 300*time.Millisecond, 1000
	}
	var err error
	o.chosen, err = choose(*names)
	return &o, errors.Join(err, o.setParts(*parts), o.setCurve(*curve))
}

func (o *options) setParts(names string) error {
	o.parts = make(map[string]bool)
	for name := range strings.SplitSeq(names, ",") {
		if !slices.Contains(allParts(), name) {
			return fmt.Errorf("no part is named %s; there are %s", name, strings.Join(allParts(), ", "))
		}
		o.parts[name] = true
	}
	o.parts[partClosed] = o.parts[partClosed] || o.parts[partHighest] // which is searched around it
	return nil
}

func (o *options) setCurve(sizes string) error {
	for text := range strings.SplitSeq(sizes, ",") {
		size, err := strconv.Atoi(text)
		if err != nil || size < 1 || size > 10_000_000 {
			return fmt.Errorf("-curve: %q is no number from 1 to 10000000", text)
		}
		o.curve = append(o.curve, size)
	}
	return nil
}

func listPeers(out io.Writer) error {
	for _, p := range peers() {
		note := ""
		if program := p.missing(); program != "" {
			note = fmt.Sprintf(" (skipped: %s is not installed)", program)
		}
		if _, err := fmt.Fprintf(out, "%-14s %s%s\n", p.name, p.about, note); err != nil {
			return err
		}
	}
	return nil
}

// installed leaves out what cannot run and names it.
func (o *options) installed(progress io.Writer) (skipped []string, err error) {
	var present []peer
	for _, p := range o.chosen {
		program := p.missing()
		if program == "" {
			present = append(present, p)
			continue
		}
		skipped = append(skipped, p.name)
		fmt.Fprintf(progress, "%s: skipped, %s is not installed\n", p.name, program)
	}
	if lookPath("strace") == "strace" && (o.parts[partSyncs] || o.parts[partSlow]) {
		skipped = append(skipped, partSyncs, partSlow)
		o.parts[partSyncs], o.parts[partSlow] = false, false
		fmt.Fprintf(progress, "%s and %s: skipped, strace is not installed\n", partSyncs, partSlow)
	}
	o.chosen = present
	if o.require && len(skipped) > 0 {
		return nil, errors.New("not installed, but required: " + strings.Join(skipped, ", "))
	}
	return skipped, nil
}

// bench measures the peers in turn, round by round. A peer that fails is left
// out from then on, and the bench fails at its end.
func (o *options) bench(ctx context.Context, out, progress io.Writer) (failed error) {
	skipped, err := o.installed(progress)
	if err != nil {
		return err
	}
	l, err := newLab(o.binary, o.nice, progress)
	if err != nil {
		return err
	}
	defer func() { failed = errors.Join(failed, l.close()) }()
	if o.short {
		l.socket.Patience = 10 * time.Second // a busy machine is no error
	}
	var each figures
	for range o.rounds {
		o.chosen = slices.DeleteFunc(o.chosen, func(p peer) bool {
			err := l.round(ctx, &o.plan, &p, func(f figure) {
				l.say(&f)
				each = append(each, f)
			})
			if err != nil {
				fmt.Fprintf(progress, "%s is left out from now on: %v\n", p.name, err)
			}
			failed = errors.Join(failed, err)
			return err != nil
		})
		if ctx.Err() != nil {
			return failed
		}
	}
	if o.short {
		fmt.Fprintf(out, "%d servers answered rightly; skipped: %q\n", len(o.chosen), skipped)
		return failed
	}
	return errors.Join(o.tell(newReport(o, skipped, each), out), failed)
}

func (o *options) tell(r *report, out io.Writer) error {
	var err error
	if o.markdown != "" {
		err = r.writeMarkdown(o.markdown)
	}
	if o.json {
		return errors.Join(err, r.writeJSON(out))
	}
	return errors.Join(err, r.writeText(out))
}

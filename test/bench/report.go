package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// report is what one run of the bench found.
type report struct {
	Date    string   `json:"date"`
	CPUs    int      `json:"cpus"`
	Rounds  int      `json:"rounds"`
	Seconds float64  `json:"seconds"` // of a load
	Nice    int      `json:"nice"`
	Skipped []string `json:"skipped"` // peers that are not installed
	Medians figures  `json:"medians"`
	Each    figures  `json:"each"` // round
}

func newReport(o *options, skipped []string, each figures) *report {
	return &report{
		Date: time.Now().UTC().Format(time.DateOnly), CPUs: runtime.NumCPU(), Rounds: o.rounds, Seconds: o.time.Seconds(), Nice: o.nice,
		Skipped: skipped, Medians: medians(each), Each: each,
	}
}

func (r *report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// readReport reads what writeJSON wrote.
func readReport(path string) (*report, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := new(report)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// table is one part of the report for people.
type table struct {
	title string
	head  []string
	rows  [][]string
}

func (r *report) tables() []table {
	var filled []table
	for _, t := range []table{r.goals(), r.rates(), r.cores(), r.disk(), r.leases(), r.hosts(), r.pages()} {
		if len(t.rows) > 0 {
			filled = append(filled, t)
		}
	}
	return filled
}

func (r *report) introduction() string {
	s := fmt.Sprintf("Run of %s on %d processors, medians of %d rounds, loads of %.1f s, niceness %d.", r.Date, r.CPUs, r.Rounds, r.Seconds, r.Nice)
	if len(r.Skipped) > 0 {
		s += " Skipped, since not installed: " + strings.Join(r.Skipped, ", ") + "."
	}
	return s
}

func (r *report) writeText(w io.Writer) error {
	fmt.Fprintln(w, r.introduction())
	for _, part := range r.tables() {
		fmt.Fprintf(w, "\n%s\n", part.title)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, row := range append([][]string{part.head}, part.rows...) {
			fmt.Fprintln(t, strings.Join(row, "\t"))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintln(&b, r.introduction())
	for _, t := range r.tables() {
		fmt.Fprintf(&b, "\n%s:\n\n| %s |\n|%s\n", t.title, strings.Join(t.head, " | "), strings.Repeat("---|", len(t.head)))
		for _, row := range t.rows {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		}
	}
	return b.String()
}

// Lines of a page between which the bench writes.
const (
	sectionBegin = "<!-- written by bench -markdown -->\n"
	sectionEnd   = "<!-- end of what bench wrote -->\n"
)

// replaceSection puts a text between the two lines of a page.
func replaceSection(page []byte, text string) ([]byte, error) {
	before, rest, begun := bytes.Cut(page, []byte(sectionBegin))
	_, after, ended := bytes.Cut(rest, []byte(sectionEnd))
	if !begun || !ended {
		return nil, fmt.Errorf("the page lacks the lines between which the bench writes, %q and %q", sectionBegin, sectionEnd)
	}
	return bytes.Join([][]byte{before, []byte(sectionBegin + "\n" + text + "\n" + sectionEnd), after}, nil), nil
}

func (r *report) writeMarkdown(path string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	page, err = replaceSection(page, r.markdown())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, page, 0o644)
}

func (r *report) rates() table {
	t := table{
		title: "One processor, relayed DORA. Highest: steady rate with under 1 % loss; half: at half of it. Busy and waiting are percent of the time, of all threads of the server",
		head: []string{"peer", "closed loop/s", "of stub", "of stub_group", "CPU us", "busy + waiting", "load busy", "highest/s", "p50 / p99 ms at half", "CPU us at half",
			"busy + waiting at half", "MB (peak)"},
	}
	ms := r.Medians
	for _, f := range ms {
		if f.Part != partClosed {
			continue
		}
		row := []string{f.Peer, number(f.Rate), ms.share(f.Rate, stubPlain), ms.share(f.Rate, stubGroup), number(f.CPU), f.load(), number(f.LoadBusy), "", "", "", "", f.memory()}
		if g, ok := ms.find(partHighest, f.Peer); ok {
			row[7] = number(g.Rate)
		}
		if g, ok := ms.find(partHalf, f.Peer); ok {
			row[8], row[9], row[10] = fmt.Sprintf("%.2f / %.2f", g.P50, g.P99), number(g.CPU), g.load()
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// share is a rate beside the closed loop of a peer.
func (fs figures) share(rate float64, peer string) string {
	f, ok := fs.find(partClosed, peer)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%.2f", rate/f.Rate)
}

func (f *figure) load() string { return fmt.Sprintf("%.0f + %.0f", f.Busy, f.Delayed) }

func (f *figure) memory() string { return fmt.Sprintf("%.0f (%.0f)", f.ResidentMB, f.PeakMB) }

func number(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func (r *report) cores() table {
	t := table{title: "Closed loop with two processors for the server", head: []string{"peer", "exchanges/s", "of one processor", "CPU us", "busy + waiting"}}
	for _, f := range r.Medians {
		if f.Part == partCores {
			t.rows = append(t.rows, []string{f.Peer, number(f.Rate), r.Medians.share(f.Rate, f.Peer), number(f.CPU), f.load()})
		}
	}
	return t
}

func (r *report) disk() table {
	t := table{
		title: "Durable peers: syncs for 200 exchanges with 64 under way; and a disk that takes 5 ms longer for each sync, 600 exchanges a second",
		head:  []string{"peer", "syncs", "slow disk: OFFER p50 / p99 ms", "whole p50 / p99 ms", "busy + waiting"},
	}
	for _, f := range r.Medians {
		if f.Part != partSyncs {
			continue
		}
		row := []string{f.Peer, number(f.Syncs), "", "", ""}
		if g, ok := r.Medians.find(partSlow, f.Peer); ok {
			row[2], row[3], row[4] = fmt.Sprintf("%.2f / %.2f", g.OfferP50, g.OfferP99), fmt.Sprintf("%.2f / %.2f", g.P50, g.P99), g.load()
		}
		t.rows = append(t.rows, row)
	}
	return t
}

func (r *report) leases() table {
	t := table{title: "New clients beside so many leases", head: []string{"peer", "leases", "exchanges/s", "CPU us", "busy + waiting", "MB (peak)"}}
	for _, f := range r.Medians {
		if f.Part == partLeases {
			t.rows = append(t.rows, []string{f.Peer, fmt.Sprint(f.Leases), number(f.Rate), number(f.CPU), f.load(), f.memory()})
		}
	}
	return t
}

func (r *report) hosts() table {
	t := table{title: "So many known hosts", head: []string{"peer", "hosts", "exchanges/s", "CPU us", "busy + waiting", "MB (peak)", "answers after s"}}
	for _, f := range r.Medians {
		if f.Part == partHosts {
			t.rows = append(t.rows, []string{f.Peer, fmt.Sprint(f.Size), number(f.Rate), number(f.CPU), f.load(), f.memory(), number(f.Start)})
		}
	}
	return t
}

package status

import (
	"fmt"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/report"
)

// home is the first page.
type home struct {
	frame
	*overview
	Verdict  report.Verdict
	Tiles    []report.Tile
	Urgent   []report.NoteGroup // an operator has to look
	Quiet    []report.NoteGroup
	Recent   []mirror.Run
	Invalid  report.Violations
	Rows     []scope // those that are shown
	Leftover int     // steps of the last run that are not done
}

// What the first page shows at most of each kind; the JSON has all.
const (
	notesShown      = 100
	violationsShown = 100
	scopesShown     = 2000
)

func newHome(f frame, o *overview, netBox string, p mirror.Known) *home {
	h := &home{
		frame: f, overview: o, Recent: o.runs[:min(len(o.runs), runsShown)],
		Invalid: report.Violations{Count: len(o.Violations), Linked: true}, Rows: o.Scopes[:min(len(o.Scopes), scopesShown)],
	}
	if p.Run != nil {
		h.Leftover = len(left(p.Run).Steps)
	}
	for _, v := range o.Violations[:min(len(o.Violations), violationsShown)] {
		h.Invalid.Rows = append(h.Invalid.Rows, report.ViolationRow{
			Address: v.Address.String(), Link: f.Root + "ip/" + v.Address.Addr().String(), VRF: v.VRF, Text: v.Text,
			InNetBox: fmt.Sprintf("%s/ipam/ip-addresses/%d/", strings.TrimRight(netBox, "/"), v.ID),
		})
	}
	h.Urgent, h.Quiet = report.GroupNotes(o.Notes, notesShown, f.Rules)
	h.Verdict = h.verdict()
	h.Tiles = h.tiles()
	return h
}

// verdict sums up the last run.
func (h *home) verdict() report.Verdict {
	if h.Last == nil {
		if h.Running.IsZero() {
			return report.Verdict{Sentence: "No run has ended yet.", Mood: report.Drift}
		}
		return report.Verdict{Sentence: "The first run is under way.", Mood: report.Drift}
	}
	trouble := slices.ContainsFunc(h.Servers, func(s server) bool { return s.State == noAnswer })
	switch outcome := h.Last.Outcome; {
	case outcome == mirror.NotPrepared:
		return report.Verdict{Sentence: "NetBox is not prepared for the mirror.", Mood: report.Bad}
	case outcome == mirror.HeldBack:
		return report.Verdict{Sentence: "The last run held changes back.", Mood: report.Bad}
	case outcome == mirror.Locked:
		return report.Verdict{Sentence: "The last run did not start.", Mood: report.Drift}
	case outcome == mirror.WithErrors && trouble:
		return report.Verdict{Sentence: "The last run could not read every server.", Mood: report.Bad}
	case outcome == mirror.WithErrors:
		return report.Verdict{Sentence: "The last run ended with errors.", Mood: report.Bad}
	case h.Last.DryRun:
		return report.Verdict{Sentence: "The last run was a rehearsal.", Mood: report.Drift}
	case len(h.Urgent) > 0 || len(h.Violations) > 0:
		return report.Verdict{Sentence: "The last run went well, but there is something to look at.", Mood: report.Drift}
	}
	return report.Verdict{Sentence: "The last run went well.", Mood: report.Good}
}

func (h *home) tiles() []report.Tile {
	up, asked, read := 0, 0, 0
	for _, s := range h.Servers {
		if s.State != notAsked {
			asked++
		}
		if s.State == answered {
			up++
		}
	}
	for i := range h.Scopes {
		if h.Scopes[i].Synced && !h.Scopes[i].Stale {
			read++
		}
	}
	look := 0
	for _, g := range h.Urgent {
		look += g.Count
	}
	figures := func(n, of int) string { return fmt.Sprintf("%d of %d", n, of) }
	warn := func(bad bool, mood report.Mood) report.Mood {
		if bad {
			return mood
		}
		return report.Plain
	}
	return []report.Tile{
		{Label: "servers answered", Figure: figures(up, len(h.Servers)), Link: "#servers", Class: warn(up < asked, report.Bad)},
		{Label: "scopes synced", Figure: figures(read, len(h.Scopes)), Link: "#scopes"},
		{Label: printable.Noun(h.Leases.Active, "active lease", "active leases"), Figure: report.Figure(h.Leases.Active), Link: "./search"},
		{Label: "to look at", Figure: report.Figure(look), Link: "#look", Class: warn(look > 0, report.Drift)},
		{Label: printable.Noun(len(h.Violations), "invalid status", "invalid statuses"), Figure: report.Figure(len(h.Violations)),
			Link: "#violations", Class: warn(len(h.Violations) > 0, report.Drift)},
		{Label: printable.Noun(h.Leftover, "difference left", "differences left"), Figure: report.Figure(h.Leftover),
			Link: "./drift", Class: warn(h.Leftover > 0, report.Drift)},
	}
}

// mood is the class of the badge of an outcome.
func mood(o mirror.Outcome) report.Mood {
	switch o {
	case mirror.Clean:
		return report.Good
	case mirror.Locked:
		return report.Drift
	case mirror.WithErrors, mirror.HeldBack, mirror.NotPrepared:
	}
	return report.Bad
}

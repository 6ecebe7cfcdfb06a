package status

import (
	"fmt"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/report"
)

// home is the first page.
type home struct {
	page.Frame
	*overview
	Verdict  page.Verdict
	Tiles    []page.Tile
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

func newHome(f page.Frame, o *overview, netBox string, p mirror.Known) *home {
	h := &home{
		Frame: f, overview: o, Recent: o.runs[:min(len(o.runs), runsShown)],
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
func (h *home) verdict() page.Verdict {
	if h.Last == nil {
		if h.Running.IsZero() {
			return page.Verdict{Sentence: "No run has ended yet.", Mood: page.Drift}
		}
		return page.Verdict{Sentence: "The first run is under way.", Mood: page.Drift}
	}
	trouble := slices.ContainsFunc(h.Servers, func(s server) bool { return s.State == noAnswer })
	switch outcome := h.Last.Outcome; {
	case outcome == mirror.NotPrepared:
		return page.Verdict{Sentence: "NetBox is not prepared for the mirror.", Mood: page.Bad}
	case outcome == mirror.HeldBack:
		return page.Verdict{Sentence: "The last run held changes back.", Mood: page.Bad}
	case outcome == mirror.Locked:
		return page.Verdict{Sentence: "The last run did not start.", Mood: page.Drift}
	case outcome == mirror.WithErrors && trouble:
		return page.Verdict{Sentence: "The last run could not read every server.", Mood: page.Bad}
	case outcome == mirror.WithErrors:
		return page.Verdict{Sentence: "The last run ended with errors.", Mood: page.Bad}
	case h.Last.DryRun:
		return page.Verdict{Sentence: "The last run was a rehearsal.", Mood: page.Drift}
	case len(h.Urgent) > 0 || len(h.Violations) > 0:
		return page.Verdict{Sentence: "The last run went well, but there is something to look at.", Mood: page.Drift}
	}
	return page.Verdict{Sentence: "The last run went well.", Mood: page.Good}
}

func (h *home) tiles() []page.Tile {
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
	warn := func(bad bool, mood page.Mood) page.Mood {
		if bad {
			return mood
		}
		return page.Plain
	}
	return []page.Tile{
		{Label: "servers answered", Figure: figures(up, len(h.Servers)), Link: "#servers", Class: warn(up < asked, page.Bad)},
		{Label: "scopes synced", Figure: figures(read, len(h.Scopes)), Link: "#scopes"},
		{Label: printable.Noun(h.Leases.Active, "active lease", "active leases"), Figure: page.Figure(h.Leases.Active), Link: "./search"},
		{Label: "to look at", Figure: page.Figure(look), Link: "#look", Class: warn(look > 0, page.Drift)},
		{Label: printable.Noun(len(h.Violations), "invalid status", "invalid statuses"), Figure: page.Figure(len(h.Violations)),
			Link: "#violations", Class: warn(len(h.Violations) > 0, page.Drift)},
		{Label: printable.Noun(h.Leftover, "difference left", "differences left"), Figure: page.Figure(h.Leftover),
			Link: "./drift", Class: warn(h.Leftover > 0, page.Drift)},
	}
}

// mood is the class of the badge of an outcome.
func mood(o mirror.Outcome) page.Mood {
	switch o {
	case mirror.Clean:
		return page.Good
	case mirror.Locked:
		return page.Drift
	case mirror.WithErrors, mirror.HeldBack, mirror.NotPrepared:
	}
	return page.Bad
}

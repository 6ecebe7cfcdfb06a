package status

import (
	"fmt"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/report"
)

// home is the first page.
type home struct {
	frame
	*overview
	NetBox   string
	Verdict  string // one sentence
	Mood     string // class of the verdict: good, drift, bad
	Tiles    []tile
	Urgent   []noteGroup // somebody should look
	Quiet    []noteGroup
	Recent   []mirror.Run
	Invalid  []violation // those that are shown
	Rows     []scope     // those that are shown
	Leftover int         // steps of the last run that are not done
}

type tile struct {
	Label, Figure string
	Link, Class   string
}

type noteGroup struct {
	Level plan.Level
	Title string
	Count int
	Notes []note // those that are shown
}

// What the first page shows at most of each kind; the JSON has all.
const (
	notesShown      = 100
	violationsShown = 100
	scopesShown     = 2000
)

func newHome(f frame, o *overview, netBox string, p mirror.Picture) *home {
	h := &home{
		frame: f, overview: o, NetBox: netBox, Recent: o.runs[:min(len(o.runs), runsShown)],
		Invalid: o.Violations[:min(len(o.Violations), violationsShown)], Rows: o.Scopes[:min(len(o.Scopes), scopesShown)],
	}
	if p.Run != nil {
		h.Leftover = len(left(p.Run).Steps)
	}
	for _, level := range report.Levels() {
		g := noteGroup{Level: level, Title: report.LevelTitle(level)}
		for _, n := range o.Notes {
			if n.Level != level {
				continue
			}
			g.Count++
			if g.Count <= notesShown {
				g.Notes = append(g.Notes, n)
			}
		}
		switch {
		case g.Count == 0:
		case level == plan.Skip || level == plan.Info:
			h.Quiet = append(h.Quiet, g)
		default:
			h.Urgent = append(h.Urgent, g)
		}
	}
	h.Verdict, h.Mood = h.verdict()
	h.Tiles = h.tiles()
	return h
}

// verdict sums up the last run.
func (h *home) verdict() (sentence, mood string) {
	if h.Last == nil {
		if h.Running.IsZero() {
			return "No run has ended yet.", "drift"
		}
		return "The first run is under way.", "drift"
	}
	trouble := slices.ContainsFunc(h.Servers, func(s server) bool { return s.State == noAnswer })
	switch outcome := h.Last.Outcome; {
	case outcome == mirror.NotPrepared:
		return "NetBox is not prepared for the mirror.", "bad"
	case outcome == mirror.HeldBack:
		return "The last run held changes back.", "bad"
	case outcome == mirror.Locked:
		return "The last run did not start.", "drift"
	case outcome == mirror.WithErrors && trouble:
		return "The last run could not read every server.", "bad"
	case outcome == mirror.WithErrors:
		return "The last run ended with errors.", "bad"
	case h.Last.DryRun:
		return "The last run was a rehearsal.", "drift"
	case len(h.Urgent) > 0 || len(h.Violations) > 0:
		return "The last run went well, but somebody should look.", "drift"
	}
	return "The last run went well.", "good"
}

func (h *home) tiles() []tile {
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
	warn := func(bad bool, class string) string {
		if bad {
			return class
		}
		return ""
	}
	noun := func(n int, one, many string) string {
		_, noun, _ := strings.Cut(count(n, one, many), " ")
		return noun
	}
	return []tile{
		{"servers answered", fmt.Sprintf("%d of %d", up, len(h.Servers)), "#servers", warn(up < asked, "bad")},
		{"scopes synced", fmt.Sprintf("%d of %d", read, len(h.Scopes)), "#scopes", ""},
		{noun(h.Leases.Active, "active lease", "active leases"), thousands(h.Leases.Active), "./search", ""},
		{"to look at", thousands(look), "#look", warn(look > 0, "drift")},
		{noun(len(h.Violations), "invalid status", "invalid statuses"), thousands(len(h.Violations)), "#violations", warn(len(h.Violations) > 0, "drift")},
		{noun(h.Leftover, "difference left", "differences left"), thousands(h.Leftover), "./drift", warn(h.Leftover > 0, "drift")},
	}
}

// Object is the page of an address in NetBox.
func (h *home) Object(v violation) string {
	return fmt.Sprintf("%s/ipam/ip-addresses/%d/", strings.TrimRight(h.NetBox, "/"), v.ID)
}

func outcomeClass(o mirror.Outcome) string {
	switch o {
	case mirror.Clean:
		return "good"
	case mirror.Locked:
		return "drift"
	}
	return "bad"
}

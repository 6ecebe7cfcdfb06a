package report

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Summary tells in one line how much is done and noted, for logs and cron.
func Summary(p *plan.Plan) string {
	var parts []string
	for _, target := range p.Targets() {
		create, change, remove := p.Count(target, state.Create), p.Count(target, state.Update), p.Count(target, state.Delete)
		if target == plan.NetBox {
			parts = append(parts, fmt.Sprintf("%d to create, %d to change, %d to delete in NetBox", create, change, remove))
		} else {
			parts = append(parts, fmt.Sprintf("%d on %s", create+change+remove, printable.Text(target)))
		}
	}
	if len(parts) == 0 {
		parts = append(parts, "nothing to change")
	}
	if n := len(p.Violations); n > 0 {
		parts = append(parts, printable.Count(n, "invalid status", "invalid statuses"))
	}
	if n := len(p.Notes); n > 0 {
		parts = append(parts, printable.Count(n, "note", "notes")+grave(p))
	}
	return "Plan: " + strings.Join(parts, "; ")
}

// grave counts the notes that decide about the exit code.
func grave(p *plan.Plan) string {
	counts := map[plan.Level]int{}
	for _, n := range p.Notes {
		counts[n.Level]++
	}
	var parts []string
	if n := counts[plan.Failure]; n > 0 {
		parts = append(parts, printable.Count(n, "failure", "failures"))
	}
	if n := counts[plan.Guard]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d held back by guards", n))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// ScopeName is the name of the scopes on a subnet; empty: not known.
func ScopeName(p *plan.Plan, scope netip.Prefix, vrf int64) string {
	var names []string
	for _, s := range p.Scopes {
		if s.Scope == scope && s.VRF == vrf && s.Name != "" && !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	return strings.Join(names, ", ")
}

// scopeTitle names a scope for people, with its VRF if it has one.
func scopeTitle(p *plan.Plan, scope netip.Prefix, vrf int64) string {
	if !scope.IsValid() {
		return "general"
	}
	title := strings.TrimSpace("scope " + scope.String() + " " + ScopeName(p, scope, vrf))
	if vrf != 0 {
		title += fmt.Sprintf(" (VRF %d)", vrf)
	}
	return title
}

// kindTitle names a kind of object for people.
func kindTitle(kind state.Kind) string {
	switch kind {
	case state.IPAddress:
		return "IP address"
	case state.IPRange:
		return "IP range"
	case state.IPPrefix:
		return "prefix"
	case state.ConfigContext:
		return "config context"
	case state.JournalEntry:
		return "journal entry"
	case plan.WindowsScope:
		return "scope"
	case plan.WindowsReservation:
		return "reservation"
	case plan.WindowsExclusion:
		return "exclusion"
	case plan.WindowsOption:
		return "option"
	}
	return string(kind)
}

// StepTitle names the object of a step for people.
func StepTitle(s *plan.Step) string {
	kind := kindTitle(s.Kind)
	if strings.HasPrefix(s.Name, kind) {
		return s.Name
	}
	return kind + " " + s.Name
}

// Levels lists the levels of notes, the gravest first.
func Levels() []plan.Level {
	return []plan.Level{plan.Failure, plan.Guard, plan.Conflict, plan.Warning, plan.Skip, plan.Info}
}

// levelTitle is the heading over notes of a level.
func levelTitle(level plan.Level) string {
	switch level {
	case plan.Failure:
		return "Failures"
	case plan.Guard:
		return "Held back by guards"
	case plan.Conflict:
		return "Conflicts"
	case plan.Warning:
		return "Warnings"
	case plan.Skip:
		return "Left alone"
	case plan.Info:
		return "Good to know"
	}
	return string(level)
}

// Where tells what a note is about: server, scope, address.
func Where(n plan.Note) string {
	var where []string
	if n.Server != "" {
		where = append(where, n.Server)
	}
	if n.Scope.IsValid() {
		where = append(where, n.Scope.String())
	}
	if n.Addr.IsValid() {
		where = append(where, n.Addr.String())
	}
	return strings.Join(where, " ")
}

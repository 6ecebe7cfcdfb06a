package plan

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Targets lists what the steps change: NetBox first, then servers by name.
func (p *Plan) Targets() []string {
	var targets []string
	for i := range p.Steps {
		targets = append(targets, p.Steps[i].Target)
	}
	slices.SortFunc(targets, func(a, b string) int {
		if (a == NetBox) != (b == NetBox) {
			if a == NetBox {
				return -1
			}
			return 1
		}
		return cmp.Compare(a, b)
	})
	return slices.Compact(targets)
}

// Count is how many steps on a target have an action.
func (p *Plan) Count(target string, action state.Action) int {
	n := 0
	for i := range p.Steps {
		if p.Steps[i].Target == target && p.Steps[i].Action == action {
			n++
		}
	}
	return n
}

// Summary tells in one line how much is done and noted, for logs and cron.
func (p *Plan) Summary() string {
	var parts []string
	for _, target := range p.Targets() {
		create, change, remove := p.Count(target, state.Create), p.Count(target, state.Update), p.Count(target, state.Delete)
		if target == NetBox {
			parts = append(parts, fmt.Sprintf("%d to create, %d to change, %d to delete in NetBox", create, change, remove))
		} else {
			parts = append(parts, fmt.Sprintf("%d on %s", create+change+remove, Printable(target)))
		}
	}
	if len(parts) == 0 {
		parts = append(parts, "nothing to change")
	}
	if n := len(p.Violations); n > 0 {
		parts = append(parts, plural(n, "invalid status", "invalid statuses"))
	}
	if n := len(p.Notes); n > 0 {
		parts = append(parts, plural(n, "note", "notes")+p.grave())
	}
	return "Plan: " + strings.Join(parts, "; ")
}

// grave counts the notes that decide about the exit code.
func (p *Plan) grave() string {
	counts := map[Level]int{}
	for _, n := range p.Notes {
		counts[n.Level]++
	}
	var parts []string
	if n := counts[Failure]; n > 0 {
		parts = append(parts, plural(n, "failure", "failures"))
	}
	if n := counts[Guard]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d held back by guards", n))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// ScopeName is the name of the scopes on a subnet; empty: not known.
func (p *Plan) ScopeName(scope netip.Prefix, vrf int64) string {
	var names []string
	for _, s := range p.Scopes {
		if s.Scope == scope && s.VRF == vrf && s.Name != "" && !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	return strings.Join(names, ", ")
}

// scopeTitle names a scope for people, with its VRF if it has one.
func (p *Plan) scopeTitle(scope netip.Prefix, vrf int64) string {
	if !scope.IsValid() {
		return "general"
	}
	title := strings.TrimSpace("scope " + scope.String() + " " + p.ScopeName(scope, vrf))
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
	case WindowsScope:
		return "scope"
	case WindowsReservation:
		return "reservation"
	case WindowsExclusion:
		return "exclusion"
	}
	return string(kind)
}

// Title names the object of a step for people.
func (s *Step) Title() string {
	kind := kindTitle(s.Kind)
	if strings.HasPrefix(s.Name, kind) {
		return s.Name
	}
	return kind + " " + s.Name
}

// Levels lists the levels of notes, what needs somebody first.
func Levels() []Level { return []Level{Failure, Guard, Conflict, Warning, Skip, Info} }

// LevelTitle is the heading over notes of a level.
func LevelTitle(level Level) string {
	switch level {
	case Failure:
		return "Failures"
	case Guard:
		return "Held back by guards"
	case Conflict:
		return "Conflicts"
	case Warning:
		return "Warnings"
	case Skip:
		return "Left alone"
	case Info:
		return "Good to know"
	}
	return string(level)
}

// Where tells what a note is about: server, scope, address.
func (n Note) Where() string {
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

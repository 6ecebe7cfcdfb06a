// Package plan holds what a run of the mirror would do: steps with their
// reasons, notes about what is left alone, the policy of the operator, and the
// form in which a plan is saved. Policy.Allowed is the second guard: it checks
// each step again before it is carried out. The package must not decide what a
// plan contains or show it to people. Its only I/O is to read a saved plan.
package plan

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// NetBox is the Target of steps that change NetBox.
const NetBox = "netbox"

// MessagePrefix begins each message of the mirror in NetBox's change log; the id
// of the run follows.
const MessagePrefix = "netbox-dhcp-sync "

// The kinds of objects on a Windows server that steps change. The fields of
// their changes are named as in the server's API.
const (
	WindowsScope       state.Kind = "dhcp.scope"
	WindowsReservation state.Kind = "dhcp.reservation"
	WindowsExclusion   state.Kind = "dhcp.exclusion"
	WindowsOption      state.Kind = "dhcp.option"
)

// Plan is what a run would do, and what it leaves alone and why.
type Plan struct {
	Made       time.Time   `json:"made"`
	Steps      []Step      `json:"steps"`
	Notes      []Note      `json:"notes"`
	Scopes     []ScopeSeen `json:"scopes"`
	Violations []Violation `json:"violations"`
	Imported   []Category  `json:"imported,omitempty"` // of an import

	// Imports is what Imported is made of.
	Imports []ImportItem `json:"-"`
	// Memory is what has to be remembered once the steps are done.
	Memory Memory `json:"-"`
}

// Empty reports whether nothing has to be done.
func (p *Plan) Empty() bool { return len(p.Steps) == 0 }

// Refused reports whether a guard held something back (exit code 4).
func (p *Plan) Refused() bool { return p.has(Guard) }

// Failed reports whether something could not be read, decided or, in an import,
// recorded (exit code 1).
func (p *Plan) Failed() bool {
	return p.has(Failure) || slices.ContainsFunc(p.Imported, func(c Category) bool { return len(c.Errors) > 0 })
}

func (p *Plan) has(level Level) bool {
	for _, n := range p.Notes {
		if n.Level == level {
			return true
		}
	}
	return false
}

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

// Phase orders steps: what other steps need comes first, removals come last.
// Windows servers are written to only after NetBox (rule 3.1).
type Phase int

// The phases in the order they are carried out.
const (
	Records    Phase = iota + 1 // prefixes, contexts, ranges that go or shrink, then others
	Addresses                   // created and updated
	Push                        // everything on Windows servers
	Cleanup                     // addresses deleted
	Aftermath                   // scope records removed
	Reflection                  // panels, tags and journal entries about the outcome
)

// Step is one change of one object.
type Step struct {
	Phase  Phase        `json:"phase"`
	Target string       `json:"target"` // NetBox or the host of a server
	Action state.Action `json:"action"`
	Kind   state.Kind   `json:"kind"`
	ID     int64        `json:"id,omitempty"`   // in NetBox; 0 for a create
	Name   string       `json:"name"`           // for people: "10.8.4.33/24", "scope 10.8.4.0/24 of dh1"
	Scope  netip.Prefix `json:"scope,omitzero"` // the scope it belongs to
	Addr   netip.Addr   `json:"addr,omitzero"`  // the address it is about
	VRF    int64        `json:"vrf,omitempty"`

	Changes    []Change `json:"changes,omitempty"`
	AddTags    []string `json:"add_tags,omitempty"`    // slugs
	RemoveTags []string `json:"remove_tags,omitempty"` // slugs

	// Observed is what else the decision rested on: a delete is carried out
	// only if it still holds.
	Observed []Change `json:"observed,omitempty"`

	// With is the partner's host, where the state of a scope goes to both servers of
	// its relationship or to neither (rule 5.6).
	With string `json:"with,omitempty"`

	// Record is the change record of NetBox on which a delete on a server rests
	// (rule 5.4).
	Record int64 `json:"record,omitempty"`

	Rule string `json:"rule"` // "3.5 row 4"
	Why  string `json:"why"`

	// Journal is text for a journal entry of the object, written after the step:
	// as information of an object that was made, as a warning of one that changed.
	Journal string `json:"journal,omitempty"`
}

// Change is one field before and after. Values are string, bool, int64, nil or
// json.RawMessage.
type Change struct {
	Field string `json:"field"`
	Old   any    `json:"old"`
	New   any    `json:"new"`
}

// Level ranks notes.
type Level string

// The levels.
const (
	Info     Level = "info"     // good to know
	Skip     Level = "skip"     // left alone, as the rules say
	Warning  Level = "warning"  // an operator should look
	Conflict Level = "conflict" // both sides claim something else, or an object is in the way
	Failure  Level = "failure"  // could not be read or decided: exit code 1
	Guard    Level = "guard"    // held back although the rules would allow it: exit code 4
)

// Note says what is not done, or what an operator should know.
type Note struct {
	Level  Level        `json:"level"`
	Server string       `json:"server,omitempty"`
	Scope  netip.Prefix `json:"scope,omitzero"`
	Addr   netip.Addr   `json:"addr,omitzero"`
	Cause  Cause        `json:"-"`
	Rule   string       `json:"rule,omitempty"` // of the cause, for people
	Text   string       `json:"text"`
	// Once marks a note that is shown as a warning the first time only.
	Once bool `json:"once,omitempty"`
	// Repeated is set where a run of the last day told the same (rule 3.8 point 2).
	Repeated bool `json:"repeated,omitempty"`
}

// Key identifies what a note says, for Memory.Said.
func (n *Note) Key() SaidKey {
	return SaidKeyOf(string(n.Level), n.Server, n.Scope.String(), n.Addr.String(), n.Text)
}

// ScopeSeen is one scope in the report.
type ScopeSeen struct {
	Server       string       `json:"server"` // that was asked; empty: none
	Source       Source       `json:"source"`
	Scope        netip.Prefix `json:"scope"`
	Name         string       `json:"name"`
	VRF          int64        `json:"vrf"`
	Known        bool         `json:"known"`  // NetBox has a record
	Synced       bool         `json:"synced"` // eligible and read
	Why          string       `json:"why,omitempty"`
	Leases       int          `json:"leases"`
	Reservations int          `json:"reservations"`
}

// Violation is an address whose lease status no scope accepts (rule 8).
type Violation struct {
	ID   int64        `json:"id"`
	Addr netip.Prefix `json:"addr"`
	VRF  int64        `json:"vrf"`
	Text string       `json:"text"`
}

// Source says where a scope's truth is: exactly one of both is set.
type Source struct {
	Server   string `json:"server,omitempty"`   // configured host of a standalone scope
	Failover string `json:"failover,omitempty"` // name of the relationship
}

// String names the source for people.
func (s Source) String() string {
	if s.Failover != "" {
		return "failover " + s.Failover
	}
	return s.Server
}

// Input is everything a plan rests on.
type Input struct {
	Windows []windhcp.Server // those asked in this run, in the order of Policy.Servers
	NetBox  *state.State
	Policy  Policy
	Memory  Memory
	// Deleted are the deletions of addresses in NetBox's change log that were asked
	// for (rule 3.7 guard m).
	Deleted []state.Deletion
	Here    Here
	Now     time.Time
}

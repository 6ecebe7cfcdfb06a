// Package drift reports in what NetBox and Windows DHCP servers differ: what
// each side shows, what a run would do about it, and why. It is a view of a
// plan as text, CSV, JSON and a page. It must not read from the network, change
// anything, or decide: the report says nothing that is not in the plan.
package drift

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/report"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Report is the comparison of both sides. Text in it is as it came from the
// network, control characters included; the writers of this package make it
// safe for what they write.
type Report struct {
	Format      string        `json:"format"`
	Version     int           `json:"version"`
	Made        time.Time     `json:"made"`
	Summary     string        `json:"summary"`
	Counts      Counts        `json:"counts"`
	Differences []Difference  `json:"differences"`
	Violations  []Violation   `json:"violations"`
	Notes       []report.Note `json:"notes"`
	Scopes      []Scope       `json:"scopes"`
}

// Format and FormatVersion mark a report in JSON.
const (
	Format        = "netbox-dhcp-sync drift"
	FormatVersion = 1
)

// Counts are the figures of a report.
type Counts struct {
	Create     int `json:"create"`
	Update     int `json:"update"`
	Delete     int `json:"delete"`
	InNetBox   int `json:"in_netbox"`
	OnWindows  int `json:"on_windows"`
	Failures   int `json:"failures"`
	Guards     int `json:"guards"`
	Conflicts  int `json:"conflicts"`
	Warnings   int `json:"warnings"`
	Violations int `json:"violations"`
	Scopes     int `json:"scopes"`
	Synced     int `json:"synced"`
}

// Differences is how many objects differ.
func (c Counts) Differences() int { return c.Create + c.Update + c.Delete }

// Difference is one object that is not the same on both sides.
type Difference struct {
	Target    string       `json:"target"` // what a run would change: "netbox" or a server
	Action    state.Action `json:"action"`
	Scope     string       `json:"scope,omitempty"` // CIDR
	ScopeName string       `json:"scope_name,omitempty"`
	VRF       int64        `json:"vrf,omitempty"`
	Address   string       `json:"address,omitempty"`
	Object    string       `json:"object"` // "IP address 10.8.4.33/24"
	ID        int64        `json:"id,omitempty"`
	Fields    []Field      `json:"fields"`
	Rule      string       `json:"rule,omitempty"`
	Why       string       `json:"why,omitempty"`
}

// Field is one thing that differs. Empty means that there is none.
type Field struct {
	Name    string `json:"name"`
	Entry   bool   `json:"entry,omitempty"` // one entry of a list
	NetBox  string `json:"netbox"`
	Windows string `json:"windows"`
	After   string `json:"after"` // on both sides, or in NetBox if Windows has no such thing

	// OwnToNetBox marks what Windows servers do not have.
	OwnToNetBox bool `json:"own_to_netbox,omitempty"`
}

// Violation is an address whose status no scope accepts.
type Violation struct {
	Address string `json:"address"`
	VRF     int64  `json:"vrf,omitempty"`
	ID      int64  `json:"id"`
	Text    string `json:"text"`
}

// Scope is a scope that was looked at.
type Scope struct {
	Scope        string `json:"scope"`
	Name         string `json:"name"`
	VRF          int64  `json:"vrf,omitempty"`
	Source       string `json:"source"`
	Server       string `json:"server,omitempty"` // that was asked
	InNetBox     bool   `json:"in_netbox"`
	Synced       bool   `json:"synced"`
	Why          string `json:"why,omitempty"`
	Leases       int    `json:"leases"`
	Reservations int    `json:"reservations"`
	Differences  int    `json:"differences"`
}

// New makes the report of a plan that was not carried out.
func New(p *plan.Plan) *Report {
	r := &Report{
		Format: Format, Version: FormatVersion, Made: p.Made, Summary: report.Summary(p),
		Differences: []Difference{}, Violations: []Violation{}, Notes: []report.Note{}, Scopes: []Scope{},
	}
	for _, target := range p.Targets() {
		for _, s := range report.StepsOf(p, target) {
			r.Differences = append(r.Differences, difference(p, s))
			r.Counts.add(s)
		}
	}
	for _, level := range report.Levels() {
		for _, n := range p.Notes {
			if n.Level == level {
				r.Notes = append(r.Notes, report.NewNote(n))
				r.Counts.note(level)
			}
		}
	}
	for _, v := range p.Violations {
		r.Violations = append(r.Violations, Violation{Address: v.Addr.String(), VRF: v.VRF, ID: v.ID, Text: v.Text})
	}
	for _, s := range p.Scopes {
		r.Scopes = append(r.Scopes, r.scope(s))
		if s.Synced {
			r.Counts.Synced++
		}
	}
	r.Counts.Violations, r.Counts.Scopes = len(r.Violations), len(r.Scopes)
	return r
}

func (c *Counts) add(s *plan.Step) {
	switch s.Action {
	case state.Create:
		c.Create++
	case state.Delete:
		c.Delete++
	default:
		c.Update++
	}
	if s.Target == plan.NetBox {
		c.InNetBox++
	} else {
		c.OnWindows++
	}
}

func (c *Counts) note(level plan.Level) {
	switch level {
	case plan.Failure:
		c.Failures++
	case plan.Guard:
		c.Guards++
	case plan.Conflict:
		c.Conflicts++
	case plan.Warning:
		c.Warnings++
	}
}

func difference(p *plan.Plan, s *plan.Step) Difference {
	d := Difference{
		Target: s.Target, Action: s.Action, VRF: s.VRF, Object: report.StepTitle(s), ID: s.ID,
		Fields: []Field{}, Rule: s.Rule, Why: s.Why,
	}
	if s.Scope.IsValid() {
		d.Scope, d.ScopeName = s.Scope.String(), report.ScopeName(p, s.Scope, s.VRF)
	}
	if s.Addr.IsValid() {
		d.Address = s.Addr.String()
	}
	for _, f := range report.Differences(s) {
		field := Field{Name: f.Field, Entry: f.Entry, NetBox: f.Old, Windows: f.New, After: f.New}
		if s.Target != plan.NetBox {
			field.NetBox, field.Windows = f.New, f.Old
		} else if ownToNetBox(f.Field) {
			field.Windows, field.OwnToNetBox = "", true
		}
		d.Fields = append(d.Fields, field)
	}
	return d
}

// ownToNetBox reports whether a field of an object in NetBox says nothing that
// a Windows server says too.
func ownToNetBox(field string) bool {
	name, _, _ := strings.Cut(field, ".")
	return slices.Contains([]string{
		"status", "tags", "vrf", "tenant", "role", "is_active", "mark_populated",
		state.FieldManaged, state.FieldScopes, state.FieldLeaseDisplay,
	}, name)
}

func (r *Report) scope(s plan.ScopeSeen) Scope {
	out := Scope{
		Scope: s.Scope.String(), Name: s.Name, VRF: s.VRF, Source: s.Source.String(), Server: s.Server,
		InNetBox: s.Known, Synced: s.Synced, Why: s.Why, Leases: s.Leases, Reservations: s.Reservations,
	}
	for _, d := range r.Differences {
		if d.Scope == out.Scope && d.VRF == out.VRF {
			out.Differences++
		}
	}
	return out
}

// InStep reports whether there is nothing to tell but what is left alone on
// purpose.
func (c Counts) InStep() bool {
	return c.Differences()+c.Failures+c.Guards+c.Conflicts+c.Warnings+c.Violations == 0
}

// verb says what a run would do.
func (d *Difference) verb() string {
	where := "in NetBox"
	if d.Target != plan.NetBox {
		where = "on " + d.Target
	}
	return fmt.Sprintf("%s %s", d.Action, where)
}

package status

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/report"
)

// host is everything that is known of one address, in one VRF or all.
type host struct {
	Address netip.Addr    `json:"address"`
	Made    time.Time     `json:"made"`
	AsOf    time.Time     `json:"facts_as_of,omitzero"` // begin of the run that Steps, Notes and Scopes are from
	Leases  []leaseView   `json:"leases"`
	Scopes  []scope       `json:"scopes"` // whose subnet contains it
	Steps   []stepView    `json:"steps"`  // of the last run
	Notes   []report.Note `json:"notes"`
	Invalid []violation   `json:"violations"`
	NetBox  string        `json:"netbox"` // where to look for it there
}

type leaseView struct {
	Address  netip.Addr   `json:"address"`
	VRF      string       `json:"vrf,omitempty"`
	VRFID    int64        `json:"vrf_id,omitempty"`
	Hostname string       `json:"hostname"`
	ClientID string       `json:"client_id"`
	Active   bool         `json:"active"`
	Expires  time.Time    `json:"expires,omitzero"`
	Server   string       `json:"server"`
	Scope    netip.Prefix `json:"scope,omitzero"`
	Seen     time.Time    `json:"seen"`
	Since    time.Time    `json:"since,omitzero"` // active, or ended
}

// stepView is a step of the last run about the address.
type stepView struct {
	Title   string      `json:"object"`
	Target  string      `json:"target"`
	Action  string      `json:"action"`
	Outcome string      `json:"outcome"`
	Error   string      `json:"error,omitempty"`
	Why     string      `json:"why,omitempty"`
	Rule    string      `json:"rule,omitempty"`
	Fields  []fieldView `json:"fields"`
}

type fieldView struct {
	Name string `json:"name"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// planned is the outcome of a step that was not tried, since nothing was.
const planned = "planned only"

func newLease(l *lease, names map[int64]string) leaseView {
	return leaseView{
		Address: l.Addr, VRF: names[l.VRF], VRFID: l.VRF, Hostname: l.Hostname, ClientID: string(l.ClientID), Active: l.Active,
		Expires: l.Expires, Server: l.Server, Scope: l.Scope, Seen: l.Seen, Since: l.Since,
	}
}

// vrfChoice is a VRF asked for: by id, name or route distinguisher; "global"
// is the table without one, and nothing means every one.
type vrfChoice struct {
	all bool
	ids []int64
}

func (s *site) vrfChoice(text string, p mirror.Known) vrfChoice {
	switch text {
	case "":
		return vrfChoice{all: true}
	case "global":
		return vrfChoice{ids: []int64{0}}
	}
	var c vrfChoice
	if id, err := strconv.ParseInt(text, 10, 64); err == nil {
		c.ids = append(c.ids, id)
	}
	for _, v := range p.VRFs {
		if v.Name == text || v.RD == text {
			c.ids = append(c.ids, v.ID)
		}
	}
	return c
}

func (c vrfChoice) has(vrf int64) bool { return c.all || slices.Contains(c.ids, vrf) }

// host collects what is known of an address.
func (s *site) host(addr netip.Addr, vrf string) (*host, error) {
	leases, err := s.leases.all(s.m)
	if err != nil {
		return nil, err
	}
	p := s.m.Known()
	names, in := vrfNames(p), s.vrfChoice(vrf, p)
	h := &host{
		Address: addr, Made: s.Now(), NetBox: s.netBox("/ipam/ip-addresses/?q=" + addr.String()),
		Leases: []leaseView{}, Scopes: []scope{}, Steps: []stepView{}, Notes: []report.Note{}, Invalid: []violation{},
	}
	for i := range leases {
		if l := &leases[i]; l.Addr == addr && in.has(l.VRF) {
			h.Leases = append(h.Leases, newLease(l, names))
		}
	}
	for _, seen := range p.Servers {
		for _, x := range scopesOf(seen, names) {
			if x.Scope.Contains(addr) && in.has(x.VRFID) {
				h.Scopes = append(h.Scopes, x)
			}
		}
	}
	h.Scopes = merged(h.Scopes)
	if p.Run == nil {
		return h, nil
	}
	h.AsOf, h.Steps = p.Run.Started, stepsAbout(p.Run, addr, in)
	for _, n := range p.Run.Plan.Notes {
		if n.Addr == addr {
			h.Notes = append(h.Notes, report.NewNote(n))
		}
	}
	for _, v := range p.Run.Plan.Violations {
		if v.Addr.Addr() == addr && in.has(v.VRF) {
			h.Invalid = append(h.Invalid, violation{ID: v.ID, Address: v.Addr, VRF: names[v.VRF], VRFID: v.VRF, Text: v.Text})
		}
	}
	return h, nil
}

// stepsAbout lists what a run did, or would have done, about an address.
func stepsAbout(run *mirror.Run, addr netip.Addr, in vrfChoice) []stepView {
	list := []stepView{}
	for i := range run.Plan.Steps {
		step := &run.Plan.Steps[i]
		if step.Addr != addr || !in.has(step.VRF) {
			continue
		}
		view := stepView{
			Title: report.StepTitle(step), Target: step.Target, Action: string(step.Action), Outcome: planned, Why: step.Why, Rule: step.Rule,
			Fields: []fieldView{},
		}
		if run.Report != nil {
			view.Outcome, view.Error = string(run.Report.Results[i].Outcome), run.Report.Results[i].Error
		}
		for _, d := range report.Differences(step) {
			view.Fields = append(view.Fields, fieldView{Name: d.Field, Old: d.Old, New: d.New})
		}
		list = append(list, view)
	}
	return list
}

// netBox is an address in NetBox's own pages.
func (s *site) netBox(path string) string {
	return strings.TrimRight(s.m.File.NetBox.URL, "/") + path
}

// left is the plan of a run without the steps that were carried out: what the
// two sides still differ in.
func left(run *mirror.Run) *plan.Plan {
	if run.Report == nil {
		return run.Plan
	}
	p := *run.Plan
	p.Steps = nil
	for i := range run.Plan.Steps {
		switch run.Report.Results[i].Outcome {
		case netboxio.Done, netboxio.Unchanged:
		default:
			p.Steps = append(p.Steps, run.Plan.Steps[i])
		}
	}
	return &p
}

package status

import (
	"net/netip"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/report"
)

// overview is everything the first page tells, and what /api/status.json
// gives. Text in it is as it came from the network.
type overview struct {
	Format  string    `json:"format"`
	Version int       `json:"version"`
	Made    time.Time `json:"made"`

	Running time.Time `json:"running_since,omitzero"`
	Queued  bool      `json:"run_queued"`
	Next    time.Time `json:"next_run,omitzero"`

	Last     *mirror.Run `json:"last_run"`               // without plan and report; null: none
	LastGood time.Time   `json:"last_success,omitzero"`  // end of the last run with exit code 0
	Planned  time.Time   `json:"facts_as_of,omitzero"`   // begin of the run the rest is from
	History  string      `json:"runs_unknown,omitempty"` // why the runs before are not known

	Forced     []forced       `json:"forced"`
	Servers    []server       `json:"servers"`
	Failovers  []relationship `json:"failovers"`
	Scopes     []scope        `json:"scopes"`
	Violations []violation    `json:"violations"`
	Notes      []report.Note  `json:"notes"`

	Leases       leaseCount `json:"leases"`
	LeasesSynced bool       `json:"leases_synced"` // sync_ips_from_dhcp

	runs []mirror.Run
}

const (
	overviewFormat  = "netbox-dhcp-sync status"
	overviewVersion = 1
)

// forced is a setting that the operator must know about (rule 7).
type forced struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
	Effect string `json:"effect"`
}

type server struct {
	Host        string          `json:"host"`
	URL         string          `json:"url"`
	State       string          `json:"state"`          // answered, no answer, not asked
	Why         string          `json:"why,omitempty"`  // it is not answered
	Asked       time.Time       `json:"asked,omitzero"` // begin of the last run that asked it
	Answered    time.Time       `json:"answered,omitzero"`
	Script      string          `json:"script_version,omitempty"`
	Listed      int             `json:"scopes_listed"`
	Read        int             `json:"scopes_read"`
	Trust       string          `json:"trust"` // in words
	Certificate *pinned         `json:"trusted_certificate,omitempty"`
	Warnings    []string        `json:"warnings,omitempty"`
	Maintenance bool            `json:"maintenance"`
	Details     maintenanceView `json:"maintenance_details"`
}

// The states of a server.
const (
	answered = "answered"
	noAnswer = "no answer"
	notAsked = "not asked"
)

// pinned is a certificate that an operator trusted.
type pinned struct {
	Subject     string    `json:"subject"`
	NotAfter    time.Time `json:"not_after,omitzero"` // zero: never
	Fingerprint string    `json:"sha256"`
}

type scope struct {
	Scope        netip.Prefix `json:"scope"`
	Name         string       `json:"name"`
	VRF          string       `json:"vrf,omitempty"`
	VRFID        int64        `json:"vrf_id,omitempty"`
	Source       string       `json:"source"`
	Server       string       `json:"server"` // that was asked
	Start        netip.Addr   `json:"start,omitzero"`
	End          netip.Addr   `json:"end,omitzero"`
	Leases       int          `json:"leases"`
	Reservations int          `json:"reservations"`
	InNetBox     bool         `json:"in_netbox"`
	Synced       bool         `json:"synced"`
	Why          string       `json:"why,omitempty"`
	AsOf         time.Time    `json:"as_of"`
	Stale        bool         `json:"stale,omitempty"` // the server gave no answer since
}

type violation struct {
	ID      int64        `json:"id"`
	Address netip.Prefix `json:"address"`
	VRF     string       `json:"vrf,omitempty"`
	VRFID   int64        `json:"vrf_id,omitempty"`
	Text    string       `json:"text"`
}

type leaseCount struct {
	Known  int `json:"known"`
	Active int `json:"active"`
}

// overview looks at everything that is known.
func (s *site) overview() (*overview, error) {
	leases, err := s.leases.all(s.m)
	if err != nil {
		return nil, err
	}
	known, activity := s.m.Known(), s.m.Activity()
	o := &overview{
		Format: overviewFormat, Version: overviewVersion, Made: s.Now(),
		Running: activity.Running, Queued: activity.Queued, Next: activity.Next,
		Forced: s.forced(), Servers: []server{}, Scopes: []scope{}, Violations: []violation{}, Notes: []report.Note{},
		LeasesSynced: s.m.File.Sync.SyncIPs,
	}
	s.history(o)
	names := vrfNames(known)
	in, err := s.m.Maintenances()
	if err != nil {
		return nil, err
	}
	o.Failovers = s.relationships(known, in)
	for _, seen := range known.Servers {
		row := s.server(seen)
		x, button := in.Servers[seen.Host]
		row.Details = newMaintenanceView(row.Maintenance, x, button)
		row.Maintenance = row.Maintenance || button
		o.Servers = append(o.Servers, row)
		o.Scopes = append(o.Scopes, scopesOf(seen, names)...)
	}
	o.Scopes = merged(o.Scopes)
	if run := known.Run; run != nil {
		o.Planned = run.Started
		for _, v := range run.Plan.Violations {
			o.Violations = append(o.Violations, violation{ID: v.ID, Address: v.Addr, VRF: names[v.VRF], VRFID: v.VRF, Text: v.Text})
		}
		for _, n := range run.Plan.Notes {
			o.Notes = append(o.Notes, report.NewNote(n))
		}
	}
	o.Leases.Known = len(leases)
	for i := range leases {
		if leases[i].Active {
			o.Leases.Active++
		}
	}
	return o, nil
}

// history fills in the last run, of this process or of one that ran besides.
func (s *site) history(o *overview) {
	runs, err := s.m.LastRuns()
	if err != nil {
		o.History = err.Error()
	}
	if last := s.m.Last(); last != nil && (len(runs) == 0 || last.Started.After(runs[0].Started)) {
		shown := *last
		shown.Plan, shown.Report = nil, nil
		runs = append([]mirror.Run{shown}, runs...)
	}
	o.runs = runs
	if len(runs) > 0 {
		o.Last = &runs[0]
	}
	for _, r := range runs {
		if r.Outcome == mirror.Clean {
			o.LastGood = r.Started.Add(r.Took)
			break
		}
	}
}

// forced lists what overrides and the environment decide, and what keeps runs
// from writing.
func (s *site) forced() []forced {
	list := []forced{}
	for _, x := range s.m.File.Notices() {
		f := forced{Key: x.Key, Value: x.Value, Origin: x.Origin, Effect: x.Effect}
		if f.Origin == "default" { // no default says so: a flag did
			f.Origin = "command line"
		}
		list = append(list, f)
	}
	return list
}

// notices are those settings for the top of each page.
func (s *site) notices() []page.Notice {
	var list []page.Notice
	for _, f := range s.forced() {
		list = append(list, page.Notice(f))
	}
	return list
}

// meaning puts the outcome of a run in words.
func meaning(o mirror.Outcome) string {
	switch o {
	case mirror.Clean:
		return "done, or nothing to do"
	case mirror.Locked:
		return "another run held the lock"
	case mirror.HeldBack:
		return "a guard held something back"
	case mirror.NotPrepared:
		return "settings, or NetBox not prepared"
	case mirror.WithErrors:
	}
	return "finished with errors"
}

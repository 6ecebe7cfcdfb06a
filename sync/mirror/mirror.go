// Package mirror runs the mirror of Windows DHCP servers: it reads both sides,
// asks package decide what to do, has it applied, and remembers what the next
// run needs. It decides nothing about addresses or scopes, and writes to no
// terminal.
package mirror

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/apply"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/decide"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/psu"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Options say what one run is about.
type Options struct {
	Mode plan.Mode // Sync where empty
	// Servers are names of configured servers, in any form they are known by
	// (rule 3.3); empty: all.
	Servers []string
	Scopes  []netip.Prefix // empty: all
	Retired string         // of Retire: the server that was replaced, as records name it
	// Digest is that of a plan that was saved or shown: no other is carried out.
	// Empty: any is.
	Digest string
	// AllowDeletes takes losses for right in this run, without proof (rule 3.7 guard c).
	AllowDeletes bool
	// AllowOverwrites overwrites any number of people's statuses (rule 3.5 row 11).
	AllowOverwrites bool
	// AdoptRanges lets an import take over people's own ranges of a scope's span.
	AdoptRanges bool
	// AlongsidePlugin runs although the plugin this mirror replaces is installed.
	AlongsidePlugin bool
	// Progress, if not nil, is told how far a stage is; total 0: not known. It
	// is called from several goroutines.
	Progress func(stage string, done, total int)
}

func (o Options) progress(stage string, done, total int) {
	if o.Progress != nil {
		o.Progress(stage, done, total)
	}
}

// Mirror is one settings file at work. It is safe for concurrent use; runs
// exclude each other by the lock in the state folder.
type Mirror struct {
	File   *settings.File
	NetBox *netbox.Client
	Trust  psu.TrustStore

	log     logrus.FieldLogger
	servers map[string]*endpoint.Client // by configured host
	visits  visits
	state   stateDir
	metrics *Metrics
	here    plan.Here
	now     func() time.Time

	wanted chan []string // servers of a run asked for by SyncNow

	mu      sync.Mutex
	last    *Run                  // of this process
	planned *Run                  // the last with a plan
	running *Run                  // under way; nil: none
	anchor  time.Time             // of Loop
	every   time.Duration         // of Loop; 0: there is none
	seen    map[string]ServerSeen // by configured host
	vrfs    []state.VRF
}

// Open prepares a mirror. It sends nothing and takes no lock. An error is one
// of settings or files.
func Open(f *settings.File, log logrus.FieldLogger) (*Mirror, error) {
	token := func() (string, error) {
		t, err := f.NetBox.Token()
		return t.Reveal(), err
	}
	client, err := netbox.NewClient(netbox.Config{URL: f.NetBox.URL, Token: token, Timeout: f.NetBox.Timeout, CAFile: f.NetBox.CAFile}, log)
	if err != nil {
		return nil, err
	}
	here, err := whereabouts(f)
	if err != nil {
		client.Close()
		return nil, err
	}
	m := &Mirror{
		File: f, here: here, NetBox: client, Trust: TrustStore(f),
		log: log, servers: make(map[string]*endpoint.Client), state: stateDir(f.Sync.StateDir), metrics: newMetrics(), now: time.Now, wanted: make(chan []string, 1),
		seen: make(map[string]ServerSeen),
	}
	for _, s := range f.Sync.Servers {
		if m.servers[s.Host], err = m.serverClient(s); err != nil {
			m.Close()
			return nil, fmt.Errorf("server %s: %w", s.Host, err)
		}
	}
	return m, nil
}

// Close drops idle connections, and ends sessions.
func (m *Mirror) Close() {
	m.NetBox.Close()
	m.closeServers()
}

// Metrics are the mirror's own, for a registry.
func (m *Mirror) Metrics() *Metrics { return m.metrics }

// Server returns the client of a configured server; nil: none of that name.
func (m *Mirror) Server(name string) *endpoint.Client {
	s, ok := m.File.Sync.FindServer(name)
	if !ok {
		return nil
	}
	return m.servers[s.Host]
}

func (m *Mirror) serverClient(s settings.Server) (*endpoint.Client, error) {
	sync, log := m.File.Sync, m.log.WithField("server", s.Host)
	door, err := m.door(s, log)
	if err != nil {
		return nil, err
	}
	return endpoint.New(door, endpoint.Config{Parallel: parallel(sync), ReadOnly: readOnly(sync, s), Observe: m.metrics.observer(s.Host, log)}, log)
}

// Plan reads both sides and decides what a run would do. It writes nothing.
func (m *Mirror) Plan(ctx context.Context, o Options) (*plan.Plan, error) {
	defer m.visit()()
	in, _, err := m.read(ctx, o)
	if err != nil {
		return nil, err
	}
	return decide.Build(*in), nil
}

// policy puts the settings in the words of package plan.
func (m *Mirror) policy(o Options) (plan.Policy, error) {
	s := m.File.Sync
	p := plan.Policy{
		Mode: o.Mode, SyncIPs: s.SyncIPs, PushReservations: s.PushReservations, PushScopeInfo: s.PushScopeInfo, ReadOnly: s.ReadOnly,
		ActiveScopesOnly: s.ActiveScopesOnly, AutoImport: s.AutoImport, RefreshOptions: s.RefreshOptions, InheritTenant: s.InheritTenant,
		SkipRAS: s.SkipRAS, ExpiryInNetBox: s.ExpiryInNetBox, Adopt: plan.Adopt(s.Adopt),
		LeaseStatus: s.Statuses.Lease, ReservationStatus: s.Statuses.Reservation,
		PreviousLease: s.Statuses.PreviousLease, PreviousReservation: s.Statuses.PreviousReservation,
		ProtectTag: s.Protect.Tag, UpdateClientID: s.Protect.UpdateClientID, HidesLease: !s.Protect.ShowLease,
		MaxDeletePercent: s.Guards.MaxDeletePercent, MaxDeleteCount: s.Guards.MaxDeleteCount, KeepAssigned: s.Guards.KeepAssigned,
		ConfirmAfter: s.Guards.ConfirmAfter, AllowDeletes: o.AllowDeletes, AllowOverwrites: o.AllowOverwrites, CreateMissingPrefixes: s.Import.CreateMissingPrefixes,
		ReplaceClientID: s.Push.ReplaceClientID, DeleteRemoved: s.Push.DeleteRemoved, PushToPartner: s.Push.PushToPartner,
		ActivateScopes: s.Push.ActivateScopes, DeleteScopes: s.Push.DeleteScopes, ScopeGrace: s.Push.ScopeGrace,
		MaintenanceScopes: s.MaintenanceScopes, OnlyScopes: o.Scopes, Failovers: make(map[string]plan.Failover),
	}
	if p.Mode == "" {
		p.Mode = plan.Sync
	}
	p.Retired, p.AdoptRanges = o.Retired, o.AdoptRanges
	if tag := m.File.NetBox.Dynamic.Tag; tag != "" {
		p.ExemptTags = slugsOf(tag)
	}
	for _, role := range m.File.NetBox.Dynamic.Roles {
		p.ExemptRoles = append(p.ExemptRoles, slugsOf(role)...)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Failover)) {
		f := s.Failover[name]
		p.Failovers[name] = plan.Failover{Servers: f.Servers, Primary: f.Primary, Disabled: !f.SyncEnabled, Maintenance: f.Maintenance, AskPartner: f.AskPartner}
	}
	selected := make(map[string]bool)
	for _, name := range o.Servers {
		server, ok := s.FindServer(name)
		if !ok {
			return p, fmt.Errorf("--server %s: no such server: %s", name, strings.Join(m.hosts(), ", "))
		}
		selected[server.Host] = true
	}
	for _, server := range s.Servers {
		c := plan.Server{
			Selected: len(o.Servers) == 0 || selected[server.Host], Standalone: server.SyncStandaloneScopes,
			Maintenance: server.Maintenance, Disabled: !server.Enabled,
			ReadOnly: server.ReadOnly, NoPush: !server.Push, Computer: server.Computer, VRF: server.VRF, ScopeVRF: server.ScopeVRF, ScopePrefix: server.ScopePrefix,
		}
		c.Host, c.Aliases = server.Host, server.Aliases
		p.Servers = append(p.Servers, c)
	}
	err := m.maintain(&p)
	return p, err
}

// slugsOf are the slugs that a tag or role of that name may have: the settings name
// them by either.
func slugsOf(name string) []string {
	slug := strings.ToLower(name)
	return []string{slug, strings.Join(strings.FieldsFunc(slug, func(r rune) bool { return r != '-' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }), "-")}
}

func (m *Mirror) hosts() []string {
	var hosts []string
	for _, s := range m.File.Sync.Servers {
		hosts = append(hosts, s.Host)
	}
	return hosts
}

// Run is one run, for reports, the status page and metrics.
type Run struct {
	ID       string        `json:"id"`
	Mode     plan.Mode     `json:"mode"`
	Started  time.Time     `json:"started"`
	Took     time.Duration `json:"took_ns"`
	Servers  []string      `json:"servers,omitempty"` // of a run over some only
	DryRun   bool          `json:"dry_run,omitempty"`
	Summary  string        `json:"summary"` // one line
	Warnings []string      `json:"warnings,omitempty"`
	Repeated []string      `json:"repeated_warnings,omitempty"` // those of Warnings that a run of the last day told
	Error    string        `json:"error,omitempty"`             // why there was no plan
	Outcome  Outcome       `json:"exit_code"`                   // as its exit code

	Plan   *plan.Plan    `json:"plan,omitempty"`
	Report *apply.Report `json:"report,omitempty"`
}

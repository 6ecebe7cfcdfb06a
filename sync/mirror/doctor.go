package mirror

import (
	"context"
	"fmt"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/decide"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/psu"
)

// scriptVersion is that of the endpoint script in deploy/psu; older and foreign
// ones work too (windows-dhcp.md 1.6).
const scriptVersion = "1.1.0"

// requirements are what these settings need of NetBox.
func (m *Mirror) requirements(alongsidePlugin bool) netbox.MirrorRequirements {
	s := m.File.Sync
	need := netbox.MirrorRequirements{
		LeaseStatus: s.Statuses.Lease, ReservationStatus: s.Statuses.Reservation, ProtectTag: s.Protect.Tag,
		SyncsAddresses: s.SyncIPs, ExpiryInNetBox: s.ExpiryInNetBox, StatusPage: s.Status.URL, PluginAllowed: alongsidePlugin,
	}
	for _, c := range decide.Library() {
		need.Contexts = append(need.Contexts, netbox.ContextNeed{Name: c.Name, Description: c.Description, Data: c.Data, Merge: c.Complete})
	}
	return need
}

// Bootstrap compares NetBox with what is needed: custom fields, tags, role,
// option library, saved filters. It changes nothing.
func (m *Mirror) Bootstrap(ctx context.Context) (netbox.BootstrapPlan, error) {
	return m.NetBox.PlanMirrorBootstrap(ctx, m.requirements(false))
}

// ApplyBootstrap carries a plan of Bootstrap out.
func (m *Mirror) ApplyBootstrap(ctx context.Context, p netbox.BootstrapPlan) error {
	return m.NetBox.ApplyBootstrap(ctx, p)
}

// Doctor looks at everything a run needs and says what is wrong and how to put
// it right. It changes nothing; on servers that are written to it asks whether
// the token may.
func (m *Mirror) Doctor(ctx context.Context, o Options) []netbox.Finding {
	findings := m.NetBox.CheckMirror(ctx, m.requirements(o.AlongsidePlugin))
	for _, s := range m.File.Sync.Servers {
		findings = append(findings, m.examine(ctx, s.Host)...)
	}
	return findings
}

func (m *Mirror) examine(ctx context.Context, host string) []netbox.Finding {
	var findings []netbox.Finding
	object := "server " + host
	add := func(severity netbox.Severity, problem, fix string) {
		findings = append(findings, netbox.Finding{Severity: severity, Object: object, Problem: problem, Fix: fix})
	}
	settings, _ := m.File.Sync.FindServer(host)
	if !settings.Enabled || settings.Maintenance {
		add(netbox.Notice, "not asked: disabled or in maintenance", "")
		return findings
	}
	if expiry, ok := m.tokenExpiry(host); ok && expiry.Before(m.now()) {
		add(netbox.Failure, "the app token ended on "+expiry.Format(time.DateOnly), "make a new one and replace the file")
	}
	client := m.servers[host]
	health, scopes, err := m.checkServer(ctx, host)
	for _, w := range client.Warnings() {
		add(netbox.Warning, w, "")
	}
	if err != nil {
		add(netbox.Failure, err.Error(), "")
		return findings
	}
	switch {
	case health.Version == "":
		add(netbox.Notice, "the endpoint script is older than 1.0.0 and cannot tell its version", "install deploy/psu/dhcp_endpoints.ps1")
	case health.Version != scriptVersion:
		add(netbox.Notice, fmt.Sprintf("endpoint script %s; this program was made for %s", health.Version, scriptVersion), "install deploy/psu/dhcp_endpoints.ps1")
	}
	if scopes == 0 {
		add(netbox.Warning, "the server lists no scope", "check that the DHCP service runs and that the account of PowerShell Universal may read it")
	}
	if failovers := client.Failovers(ctx); failovers.Err != nil {
		add(netbox.Failure, failovers.Err.Error(), "")
	}
	if s := m.File.Sync; (s.PushReservations || s.PushScopeInfo) && !s.ReadOnly && !s.DryRun {
		if err := client.CheckWriter(ctx); err != nil && psu.KindOf(err) != psu.NotFound {
			add(netbox.Failure, "pushing is on, but: "+err.Error(), "give the token the role DHCPWriter, or switch pushing off")
		}
	}
	return findings
}

func (m *Mirror) tokenExpiry(host string) (time.Time, bool) {
	s, _ := m.File.Sync.FindServer(host)
	token, err := s.Token()
	if err != nil {
		return time.Time{}, false
	}
	return psu.TokenExpiry(token.Reveal())
}

package mirror

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/prepare"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/decide"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/psu"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/report"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/settings"
)

// needs lists what these settings need of NetBox.
func (m *Mirror) needs(alongsidePlugin bool) []prepare.Need {
	s := m.File.Sync
	uses := netboxio.Uses{
		LeaseStatus: s.Statuses.Lease, ReservationStatus: s.Statuses.Reservation, ProtectTag: s.Protect.Tag,
		Addresses: s.SyncIPs, Deletions: s.Push.DeleteRemoved || s.Push.DeleteScopes, ExpiryInNetBox: s.ExpiryInNetBox, StatusPage: s.Status.URL, PluginAllowed: alongsidePlugin,
	}
	for _, c := range decide.Library() {
		uses.Contexts = append(uses.Contexts, prepare.Context{Name: c.Name, Description: c.Description, Data: c.Data, Merge: c.Complete})
	}
	uses.Contexts = append(uses.Contexts, m.home())
	return uses.Needs()
}

// Bootstrap compares NetBox with what is needed: custom fields, tags, role,
// option library, saved filters. It changes nothing.
func (m *Mirror) Bootstrap(ctx context.Context) (prepare.Plan, error) {
	return prepare.PlanFor(ctx, m.NetBox, m.needs(false))
}

// Doctor looks at everything a run needs and says what is wrong and how to put
// it right. It changes nothing; on servers that are written to it asks whether
// it may.
func (m *Mirror) Doctor(ctx context.Context, o Options) []prepare.Finding {
	defer m.visit()()
	findings := prepare.Check(ctx, m.NetBox, m.needs(o.AlongsidePlugin))
	for _, s := range m.File.Sync.Servers {
		findings = append(findings, m.examine(ctx, s.Host)...)
	}
	return append(findings, m.compare(ctx, o)...)
}

// compare looks at both sides together: for scopes that NetBox records and a run
// would not mirror, although no switch says so (rule 3.2 point 1), and for addresses
// that the plugin left (rule 3.4 point 1), or that NetBox hides (rule 3.7 guard m). What keeps both sides from being read is
// among the other findings.
func (m *Mirror) compare(ctx context.Context, o Options) []prepare.Finding {
	policy, err := m.policy(o)
	if err != nil {
		return nil
	}
	held, err := netboxio.Read(ctx, m.NetBox)
	if err != nil || m.prepared(held, &policy, o) != nil {
		return nil
	}
	memory, err := m.state.memory()
	if err != nil {
		return []prepare.Finding{{Severity: prepare.Failure, Object: "mirror", Problem: err.Error()}}
	}
	policy.ExemptTag = m.exemptTag(held)
	in := &plan.Input{NetBox: held, Policy: policy, Memory: memory, Here: m.here, Now: m.now().UTC()}
	roster, err := m.readServers(ctx, in, o)
	if err != nil {
		return nil
	}
	findings := findingsOf(decide.Stopped(in), "")
	held.Addresses, err = netboxio.ReadAddresses(ctx, m.NetBox, append(roster.Subnets(), roster.InVRFs()...), nil)
	if err != nil {
		return append(findings, prepare.Finding{Severity: prepare.Failure, Object: "mirror", Problem: err.Error()})
	}
	findings = append(findings, findingsOf(roster.Strayed(held.Addresses), "before the next sync: netbox-dhcp-sync migrate --dry-run, then migrate")...)
	if policy.SyncIPs {
		m.readHidden(ctx, in, roster)
		findings = append(findings, findingsOf(roster.Hides(), "")...)
	}
	return findings
}

// findingsOf makes findings of notes, each with the same fix.
func findingsOf(notes []plan.Note, fix string) []prepare.Finding {
	var findings []prepare.Finding
	for _, n := range notes {
		f := prepare.Finding{Severity: prepare.Failure, Object: "mirror", Problem: n.Text, Fix: fix}
		if where := report.Where(n); where != "" {
			f.Object = where
		}
		if n.Level == plan.Warning {
			f.Severity = prepare.Warning
		}
		findings = append(findings, f)
	}
	return findings
}

func (m *Mirror) examine(ctx context.Context, host string) []prepare.Finding {
	var findings []prepare.Finding
	object := "server " + host
	add := func(severity prepare.Severity, problem, fix string) {
		findings = append(findings, prepare.Finding{Severity: severity, Object: object, Problem: problem, Fix: fix})
	}
	server, _ := m.File.Sync.FindServer(host)
	if !server.Enabled || server.Maintenance {
		add(prepare.Notice, "not asked: disabled or in maintenance", "")
		return findings
	}
	words := wordsFor(server)
	if expiry, ok := tokenExpiry(server); ok && expiry.Before(m.now()) {
		add(prepare.Failure, "the app token ended on "+expiry.Format(time.DateOnly), "make a new one and replace the file")
	}
	client := m.servers[host]
	health, scopes, err := m.checkServer(ctx, host)
	for _, w := range client.Warnings() {
		add(prepare.Warning, w, "")
	}
	for _, fact := range client.Facts() {
		add(prepare.Notice, fact, "")
	}
	if problem, fix := words.adviceOn(health); problem != "" && (err == nil || health.Version != "") {
		add(prepare.Notice, problem, fix)
	}
	if err != nil {
		add(prepare.Failure, err.Error(), "")
		return findings
	}
	if scopes == 0 {
		add(prepare.Warning, "the server lists no scope", "check that the DHCP service runs and that "+words.account+" may read it")
	}
	if failovers := client.Failovers(ctx); failovers.Err != nil {
		add(prepare.Failure, failovers.Err.Error(), "")
	}
	switch {
	case !readOnly(m.File.Sync, server):
		if f, ok := words.examineWriter(ctx, client, health); ok {
			add(f.Severity, f.Problem, f.Fix)
		}
	case server.OverSSH() && neverWritten(m.File.Sync, server) && health.Rights == endpoint.RightsWrite: // what is sent has no such routes then
		add(prepare.Notice, "nothing is written to this server, and the script that is installed there has routes that write", "put the output of netbox-dhcp-sync windows-script without --write in its place")
	}
	return findings
}

// noWriteRoutes says that a script cannot write (rule 13.5).
const noWriteRoutes = "pushing is on, but the script on this server has no routes that write"

// examineWriter asks whether a server that is pushed to takes writes; false: it does.
func (w words) examineWriter(ctx context.Context, client *endpoint.Client, health endpoint.Health) (prepare.Finding, bool) {
	if health.Rights == endpoint.RightsRead {
		return prepare.Finding{Severity: prepare.Notice, Problem: noWriteRoutes, Fix: w.routes + ", if this server is to be pushed to"}, true
	}
	err := client.CheckWriter(ctx)
	e, _ := errors.AsType[*endpoint.Error](err)
	right := w.right + ", or "
	if e != nil && e.Status != http.StatusUnauthorized && e.Status != http.StatusForbidden && e.Status != http.StatusNotFound && e.ID != endpoint.AccessDenied {
		right = "" // it is not about rights
	}
	switch {
	case err == nil && w.unasked != "":
		return prepare.Finding{Severity: prepare.Notice, Problem: w.unasked}, true
	case err == nil:
		return prepare.Finding{}, false
	case e != nil && health.Ours() && (e.Status == http.StatusNotFound || e.Status == http.StatusMethodNotAllowed):
		return prepare.Finding{Severity: prepare.Failure, Problem: noWriteRoutes, Fix: w.routes + ", or switch pushing off"}, true
	}
	return prepare.Finding{Severity: prepare.Failure, Problem: "pushing is on, but: " + err.Error(), Fix: right + "switch pushing off"}, true
}

// words are what findings about a server say by the door that is used.
type words struct {
	account string // that Windows knows
	right   string // how to be allowed to write
	routes  string // how to get a script that writes
	install string // how to get the script of this program's version
	unasked string // what the question for the right to write does not tell; empty: it tells it
}

func wordsFor(s settings.Server) words {
	if s.OverSSH() {
		const again = "put the output of netbox-dhcp-sync windows-script "
		return words{
			account: "the account " + s.SSH.User,
			right:   "put the account " + s.SSH.User + " into DHCP Administrators",
			routes:  again + "--write in the place of the script on the server",
			install: "install the output of netbox-dhcp-sync windows-script on the server again, with --write if it is pushed to",
			unasked: "pushing is on: whether Windows lets the account " + s.SSH.User + " write shows at the first change only",
		}
	}
	return words{
		account: "the account of PowerShell Universal",
		right:   "give the token the role DHCPWriter",
		routes:  "set $ReadOnly to $false at the top of the script there",
		install: "install the deploy/psu/dhcp_endpoints.ps1 that came with this program",
	}
}

// adviceOn says what is to be known of the script of a server, by whose it is
// (rule 1.6); empty: nothing. A plugin may use the same server, so a script that is
// not ours is replaced only by people who know what the plugin would lose.
func (w words) adviceOn(health endpoint.Health) (problem, fix string) {
	const replace = "if a NetBox with the plugin netbox-windows-dhcp uses this server, update the script from there to 2.0 or newer; if none does, install " +
		"deploy/psu/dhcp_endpoints.ps1, which lacks what that plugin needs of its own: metrics, replication and membership of relationships, options of a scope"
	switch {
	case health.Ours() && health.Version == endpoint.ScriptVersion, !health.Ours() && health.Lists():
		return "", ""
	case health.Ours():
		return fmt.Sprintf("our endpoint script %s; this program was made for %s", health.Version, endpoint.ScriptVersion), w.install
	case health.Version == "":
		return "the endpoint script is older than 1.0.0 and cannot tell its version", replace
	}
	return fmt.Sprintf("endpoint script %s is one of the plugin's 1.x, or ours from before %s: it may answer an empty list for what Windows failed to read, and one scope with an unlimited lease fails its list of scopes",
		health.Version, endpoint.ScriptVersion), replace
}

// tokenExpiry is when the token for a server ends; false: never, or it is not known.
func tokenExpiry(s settings.Server) (time.Time, bool) {
	if s.OverSSH() {
		return time.Time{}, false
	}
	token, err := s.Token()
	if err != nil {
		return time.Time{}, false
	}
	return psu.TokenExpiry(token.Reveal())
}

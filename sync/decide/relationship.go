package decide

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// relationship is a failover relationship as this run sees it. Servers are
// indexes into Policy.Servers; -1: none.
type relationship struct {
	name               string
	primary, secondary int
	enabled            bool
	maintenance        bool
	known              bool   // recorded in NetBox or named in the settings
	problem            string // why it cannot be used
	context            *state.Context
	reported           *windhcp.Failover // by the first server that has it
	reporter           int
}

// has reports whether a server is one of the pair.
func (r *relationship) has(server int) bool { return r.primary == server || r.secondary == server }

// mayHave reports whether a server is one of the pair, or may be, since the pair
// is not known.
func (r *relationship) mayHave(server int) bool {
	return r.has(server) || r.primary < 0 && r.secondary < 0
}

// other is the partner of a server of the pair; -1: not configured.
func (r *relationship) other(server int) int {
	if r.primary == server {
		return r.secondary
	}
	return r.primary
}

// contextData is the data of a config context of ours; each context holds one
// of the members.
type contextData struct {
	WindowsDHCP struct {
		Failover    *failoverData      `json:"failover,omitempty"`
		OptionCodes []optionDefinition `json:"option_codes,omitempty"`
		Options     []libraryValue     `json:"option_values,omitempty"`
	} `json:"windows_dhcp"`
}

// failoverData is a relationship in a config context; servers are named as
// configured, times are seconds.
type failoverData struct {
	Name                    string `json:"name"`
	PrimaryServer           string `json:"primary_server"`
	SecondaryServer         string `json:"secondary_server"`
	Mode                    string `json:"mode"`
	MaxClientLeadTime       int64  `json:"max_client_lead_time"`
	MaxResponseDelay        int64  `json:"max_response_delay"`
	StateSwitchoverInterval *int64 `json:"state_switchover_interval"`
	EnableAuth              bool   `json:"enable_auth"`
}

// relationshipsOf brings together what NetBox, the settings and the servers
// say about relationships (rule 3.3), by name in lower case.
func (r *Roster) relationshipsOf() map[string]*relationship {
	found := make(map[string]*relationship)
	get := func(name string) *relationship {
		id := strings.ToLower(name)
		if found[id] == nil {
			found[id] = &relationship{name: name, primary: -1, secondary: -1, enabled: true, reporter: -1}
		}
		return found[id]
	}
	for i := range r.in.NetBox.Contexts {
		r.addRecorded(&r.in.NetBox.Contexts[i], get)
	}
	for i := range r.in.Windows {
		for j := range r.in.Windows[i].Failovers.Items {
			f := &r.in.Windows[i].Failovers.Items[j]
			r.addReported(get(f.Name), f, r.serverOf(r.in.Windows[i].Host))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.in.Policy.Failovers)) {
		r.addConfigured(get(name), r.in.Policy.Failovers[name])
	}
	for _, id := range slices.Sorted(maps.Keys(found)) {
		rel := found[id]
		if rel.problem == "" && rel.primary < 0 && rel.known {
			rel.problem = "its primary server is not known yet: run import, or set sync.failover." + rel.name + ".primary"
		}
		if rel.context != nil && rel.reported == nil && r.complete() {
			r.note(plan.Note{Level: plan.Warning, Cause: plan.CauseContext, Text: fmt.Sprintf("config context %q: no server reports this relationship", rel.context.Name)})
		}
	}
	return found
}

// relationshipNamed finds a relationship; nil: there is none of this name.
func (r *Roster) relationshipNamed(name string) *relationship {
	return r.relationships[strings.ToLower(name)]
}

func (r *Roster) addRecorded(c *state.Context, get func(string) *relationship) {
	if !strings.HasPrefix(c.Name, plan.FailoverContext) {
		return
	}
	var data contextData
	err := json.Unmarshal(c.Data, &data)
	f := data.WindowsDHCP.Failover
	if err == nil && (f == nil || f.Name == "") {
		err = fmt.Errorf("names no relationship in windows_dhcp.failover.name")
	}
	if err != nil {
		r.note(plan.Note{Level: plan.Warning, Cause: plan.CauseContext, Text: fmt.Sprintf("config context %q is passed over: %v", c.Name, err)})
		return
	}
	rel := get(f.Name)
	if rel.context != nil {
		r.note(plan.Note{Level: plan.Warning, Cause: plan.CauseContext, Text: fmt.Sprintf("config context %q is passed over: %q is the same relationship", c.Name, rel.context.Name)})
		return
	}
	rel.name, rel.context, rel.known, rel.enabled = f.Name, c, true, c.Active
	rel.primary, rel.secondary = r.serverOf(f.PrimaryServer), r.serverOf(f.SecondaryServer)
	if rel.primary < 0 && rel.secondary < 0 {
		rel.problem = fmt.Sprintf("neither %s nor %s is among the configured servers", f.PrimaryServer, f.SecondaryServer)
	}
}

// addReported takes what a server says. Every server names itself as primary, so
// a report never changes roles. If a server reports the name with another pair of
// servers, there are two relationships of one name: neither is used from then on.
func (r *Roster) addReported(rel *relationship, f *windhcp.Failover, server int) {
	partnerName := f.Secondary
	if r.serverOf(f.Secondary) == server {
		partnerName = f.Primary
	}
	partner := r.serverOf(partnerName)
	if rel.reported == nil {
		rel.reported, rel.reporter = f, server
	}
	switch {
	case rel.problem != "":
	case partner < 0:
		if rel.context == nil {
			rel.problem = fmt.Sprintf("its other server %s is not among the configured servers: add it, or an alias, to sync.servers", partnerName)
		}
	case rel.primary < 0 && rel.secondary < 0:
		rel.primary, rel.secondary = server, partner
	case !rel.has(server) || rel.secondary >= 0 && rel.primary >= 0 && !rel.has(partner):
		rel.problem = fmt.Sprintf("%s reports it with %s, which is not the pair known before: two relationships of one name cannot be kept apart",
			r.host(server), partnerName)
	}
}

func (r *Roster) addConfigured(rel *relationship, c plan.Failover) {
	rel.known = true
	rel.enabled = rel.enabled && !c.Disabled
	rel.maintenance = c.Maintenance
	if c.Primary == "" {
		return
	}
	switch i := r.serverOf(c.Primary); {
	case i < 0:
		rel.problem = fmt.Sprintf("sync.failover.%s.primary: %s is not among the configured servers", rel.name, c.Primary)
	case i == rel.secondary:
		rel.primary, rel.secondary = rel.secondary, rel.primary
	default:
		rel.primary = i
	}
}

// acting is the server that acts as primary of a relationship in this run, and
// whether it does so in place of the primary; -1 if none does. Only a run over all
// servers falls back: another run cannot tell a server that is down from one that
// was not asked (rule 3.3).
func (r *Roster) acting(rel *relationship) (server int, fallback bool) {
	if rel.problem != "" || !rel.enabled || rel.maintenance {
		return -1, false
	}
	out := rel.primary < 0 || r.in.Policy.Servers[rel.primary].Maintenance || r.unreachable(rel.primary)
	if out && rel.secondary >= 0 && r.everyServerSelected() {
		second := r.in.Policy.Servers[rel.secondary]
		if !second.Disabled && !second.Maintenance && !r.unreachable(rel.secondary) {
			return rel.secondary, true
		}
	}
	return rel.primary, false
}

// data is the relationship as a config context holds it, with the defaults of
// rule 4 for what a server does not tell.
func (r *Roster) data(rel *relationship) failoverData {
	f := rel.reported
	return failoverData{
		Name: f.Name, PrimaryServer: r.host(rel.primary), SecondaryServer: r.host(rel.secondary),
		Mode:              cmp.Or(f.Mode, "LoadBalance"),
		MaxClientLeadTime: cmp.Or(f.MaxClientLeadTime, 3600),
		// The script reads a delay back as 0 (rule 1.4).
		MaxResponseDelay:        cmp.Or(f.MaxResponseDelay, 30),
		StateSwitchoverInterval: f.StateSwitchover,
		EnableAuth:              f.Auth,
	}
}

// failoverOf names the relationship that a server says one of its scopes belongs
// to; empty: none. The list of relationships counts where the scope itself does
// not tell.
func (r *Roster) failoverOf(server int, scope windhcp.Scope) string {
	s := r.asked(server)
	if scope.Failover != "" || s == nil {
		return scope.Failover
	}
	for _, f := range s.Failovers.Items {
		if slices.Contains(f.Scopes, scope.ID()) {
			return f.Name
		}
	}
	return ""
}

// mayBePartner reports whether a server may be in a relationship that NetBox, the
// settings or another server know.
func (r *Roster) mayBePartner(server int) bool {
	for _, rel := range r.relationships {
		if rel.mayHave(server) {
			return true
		}
	}
	return false
}

// unsettled says why a scope without a relationship proves nothing, although
// NetBox records it under one; empty: it does prove that it left, or NetBox does
// not record it so. A script that cannot read the relationships names none with
// its scopes either (rule 3.8 point 1).
func (r *Roster) unsettled(server int, scope windhcp.Scope) string {
	s := r.asked(server)
	if s == nil || r.failoverOf(server, scope) != "" {
		return ""
	}
	for _, rec := range r.records {
		rel := r.relationshipNamed(rec.Source.Failover)
		if rec.Subnet != scope.Subnet || rec.Source.Failover == "" || rel == nil || !rel.mayHave(server) {
			continue
		}
		if !s.Failovers.Complete() {
			return fmt.Sprintf("recorded under failover %s, and the server's relationships could not be read: it is left as it is", rel.name)
		}
		partner := r.asked(rel.other(server))
		switch {
		case partner == nil:
		case partner.Scopes.Err != nil || !partner.Failovers.Complete():
			return fmt.Sprintf("recorded under failover %s; this server names none, and its partner %s could not be asked: it is left as it is", rel.name, partner.Host)
		case r.stillShares(rel, partner, scope):
			return fmt.Sprintf("recorded under failover %s; this server names none, but its partner %s still does: it is left as it is", rel.name, partner.Host)
		}
	}
	return ""
}

// stillShares reports whether a server says that a scope belongs to a relationship.
func (r *Roster) stillShares(rel *relationship, s *windhcp.Server, scope windhcp.Scope) bool {
	twin, listed := s.Scope(scope.ID())
	return listed && strings.EqualFold(r.failoverOf(r.serverOf(s.Host), twin), rel.name)
}

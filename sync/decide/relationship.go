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

// relationship is a failover relationship as this run sees it. Its identity is its
// name and its pair of servers (rule 3.3 point 1). Servers are indexes into
// Policy.Servers; -1: none.
type relationship struct {
	name               string // as Windows has it
	label              string // as scopes in NetBox name it: the name, unless another pair has that
	primary, secondary int
	enabled            bool
	maintenance        bool
	askPartner         bool   // for its leases too, whatever the pre-flight says
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
		Memory      *Home              `json:"memory,omitempty"`
	} `json:"windows_dhcp"`
}

// failoverData is a relationship in a config context; servers are named as
// configured, times are seconds.
type failoverData struct {
	Name                    string `json:"name"`
	Label                   string `json:"label,omitempty"` // in dhcp_failover, where it is not the name
	PrimaryServer           string `json:"primary_server"`
	SecondaryServer         string `json:"secondary_server"`
	Mode                    string `json:"mode"`
	MaxClientLeadTime       int64  `json:"max_client_lead_time"`
	MaxResponseDelay        int64  `json:"max_response_delay"`
	StateSwitchoverInterval *int64 `json:"state_switchover_interval"`
	EnableAuth              bool   `json:"enable_auth"`
}

// relationshipsOf brings together what NetBox, the settings and the servers
// say about relationships (rule 3.3), by label.
func (r *Roster) relationshipsOf() {
	for i := range r.in.NetBox.Contexts {
		r.addRecorded(&r.in.NetBox.Contexts[i])
	}
	for i := range r.in.Windows {
		for j := range r.in.Windows[i].Failovers.Items {
			r.addReported(&r.in.Windows[i].Failovers.Items[j], r.serverOf(r.in.Windows[i].Host))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(r.in.Policy.Failovers)) {
		r.addConfigured(key, r.in.Policy.Failovers[key])
	}
	slices.SortStableFunc(r.relationships, func(x, y *relationship) int {
		return strings.Compare(strings.ToLower(x.label), strings.ToLower(y.label))
	})
	for _, rel := range r.relationships {
		if rel.problem == "" && rel.primary < 0 && rel.known {
			rel.problem = "its primary server is not known yet: run import, or set sync.failover." + rel.label + ".primary"
		}
		if rel.context != nil && rel.reported == nil && r.complete() {
			r.note(plan.Note{Level: plan.Warning, Cause: plan.CauseContext, Text: fmt.Sprintf("config context %q: no server reports this relationship", rel.context.Name)})
		}
	}
}

// newRelationship adds one of a pair that no other of this name is of.
func (r *Roster) newRelationship(name string, primary, secondary int) *relationship {
	rel := &relationship{name: name, label: name, primary: primary, secondary: secondary, enabled: true, reporter: -1}
	if r.labelled(name) != nil {
		rel.label = fmt.Sprintf("%s (%s)", name, r.pairText(primary, secondary))
	}
	r.relationships = append(r.relationships, rel)
	return rel
}

// pairText names a pair the same way whichever of its servers is asked, by first
// labels where those tell all servers apart.
func (r *Roster) pairText(servers ...int) string {
	slices.Sort(servers)
	var names []string
	for _, i := range servers {
		host := r.host(i)
		if short, _, _ := strings.Cut(host, "."); host != "" && r.serverOf(short) == i {
			host = short
		}
		if host != "" {
			names = append(names, host)
		}
	}
	return strings.Join(names, ", ")
}

// labelled finds a relationship by its label; nil: there is none.
func (r *Roster) labelled(label string) *relationship {
	for _, rel := range r.relationships {
		if strings.EqualFold(rel.label, label) {
			return rel
		}
	}
	return nil
}

// relationshipOf finds the relationship that a scope in NetBox names, by its
// label, or by its name where only one pair has it; nil: there is none.
func (r *Roster) relationshipOf(label string) *relationship {
	if rel := r.labelled(label); rel != nil {
		return rel
	}
	if same := r.named(label); len(same) == 1 {
		return same[0]
	}
	return nil
}

// named lists the relationships of a name, each of another pair.
func (r *Roster) named(name string) []*relationship {
	var same []*relationship
	for _, rel := range r.relationships {
		if strings.EqualFold(rel.name, name) {
			same = append(same, rel)
		}
	}
	return same
}

// relationshipOn finds the relationship that a server means by a name: that of a
// pair it is in, else one of which not both servers are known. nil: there is none.
func (r *Roster) relationshipOn(server int, name string) *relationship {
	if name == "" {
		return nil
	}
	if rel := r.ofPair(server, name); rel != nil {
		return rel
	}
	for _, rel := range r.named(name) {
		if rel.primary < 0 || rel.secondary < 0 {
			return rel
		}
	}
	return nil
}

// ofPair finds the relationship of a name whose pair a server is in, or else one
// whose pair is not known at all.
func (r *Roster) ofPair(server int, name string) *relationship {
	same := r.named(name)
	if i := slices.IndexFunc(same, func(rel *relationship) bool { return rel.has(server) }); i >= 0 {
		return same[i]
	}
	if i := slices.IndexFunc(same, func(rel *relationship) bool { return rel.mayHave(server) }); i >= 0 {
		return same[i]
	}
	return nil
}

func (r *Roster) addRecorded(c *state.Context) {
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
	label := cmp.Or(f.Label, f.Name)
	if rel := r.labelled(label); rel != nil {
		r.note(plan.Note{Level: plan.Warning, Cause: plan.CauseContext, Text: fmt.Sprintf("config context %q is passed over: %q is the same relationship", c.Name, rel.context.Name)})
		return
	}
	rel := r.newRelationship(f.Name, r.serverOf(f.PrimaryServer), r.serverOf(f.SecondaryServer))
	rel.label, rel.context, rel.known, rel.enabled = label, c, true, c.Active
	if rel.primary < 0 && rel.secondary < 0 {
		rel.problem = fmt.Sprintf("neither %s nor %s is among the configured servers", f.PrimaryServer, f.SecondaryServer)
	}
}

// addReported takes what a server says. Every server names itself as primary, so
// a report never changes roles. Pairs of one name that share a server contradict
// each other: none of them is used from then on.
func (r *Roster) addReported(f *windhcp.Failover, server int) {
	partnerName := f.Secondary
	if r.serverOf(f.Secondary) == server {
		partnerName = f.Primary
	}
	partner := r.serverOf(partnerName)
	rel := r.ofPair(server, f.Name)
	var sharing *relationship
	if rel == nil {
		same := r.named(f.Name)
		if i := slices.IndexFunc(same, func(o *relationship) bool { return partner >= 0 && o.has(partner) }); i >= 0 {
			sharing = same[i]
		}
		rel = r.newRelationship(f.Name, server, partner)
	}
	if rel.reported == nil {
		rel.reported, rel.reporter = f, server
	}
	contradicts := func(rel *relationship) {
		rel.problem = cmp.Or(rel.problem, fmt.Sprintf("%s reports it with %s, which is not the pair known before: two relationships of one name that share a server "+
			"cannot be kept apart; if the partner was replaced, correct the servers in its config context", r.host(server), partnerName))
	}
	switch {
	case sharing != nil:
		contradicts(sharing)
		contradicts(rel)
	case rel.problem != "":
	case partner < 0:
		if rel.context == nil {
			rel.problem = fmt.Sprintf("its other server %s is not among the configured servers: add it, or an alias, to sync.servers", partnerName)
		}
	case rel.primary < 0 && rel.secondary < 0:
		rel.primary, rel.secondary = server, partner
	case !rel.has(server) || rel.secondary >= 0 && rel.primary >= 0 && !rel.has(partner):
		contradicts(rel)
	}
}

// addConfigured takes what the settings say of a relationship. They have to say of
// which pair where several have the name.
func (r *Roster) addConfigured(key string, c plan.Failover) {
	var meant []*relationship
	for _, rel := range r.relationships {
		if strings.EqualFold(rel.label, key) || strings.EqualFold(rel.name, key) {
			meant = append(meant, rel)
		}
	}
	if len(c.Servers) > 0 {
		others := func(rel *relationship) bool {
			return slices.ContainsFunc(c.Servers, func(name string) bool { return !rel.mayHave(r.serverOf(name)) })
		}
		meant = slices.DeleteFunc(meant, others)
	}
	if len(meant) == 0 {
		pair := []int{-1, -1}
		for i, name := range c.Servers[:min(len(c.Servers), 2)] {
			pair[i] = r.serverOf(name)
		}
		meant = append(meant, r.newRelationship(key, pair[0], pair[1]))
	}
	for _, rel := range meant {
		rel.known = true
		rel.enabled = rel.enabled && !c.Disabled
		rel.maintenance, rel.askPartner = rel.maintenance || c.Maintenance, rel.askPartner || c.AskPartner
		if len(meant) > 1 {
			rel.problem = fmt.Sprintf("%d pairs of servers have a relationship of this name, and sync.failover.%s does not say which one is meant: name its two servers in sync.failover.%s.servers",
				len(meant), key, key)
			continue
		}
		r.primaryBySettings(rel, key, c.Primary)
	}
}

func (r *Roster) primaryBySettings(rel *relationship, key, primary string) {
	if primary == "" {
		return
	}
	switch i := r.serverOf(primary); {
	case i < 0:
		rel.problem = fmt.Sprintf("sync.failover.%s.primary: %s is not among the configured servers", key, primary)
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
	f, label := rel.reported, ""
	if rel.label != rel.name {
		label = rel.label
	}
	return failoverData{
		Name: f.Name, Label: label, PrimaryServer: r.host(rel.primary), SecondaryServer: r.host(rel.secondary),
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
		rel := r.relationshipOf(rec.Source.Failover)
		if rec.Subnet != scope.Subnet || rec.Source.Failover == "" || rel == nil || !rel.mayHave(server) {
			continue
		}
		if !s.Failovers.Complete() {
			return fmt.Sprintf("recorded under failover %s, and the server's relationships could not be read: it is left as it is", rel.label)
		}
		partner := r.asked(rel.other(server))
		switch {
		case partner == nil:
		case partner.Scopes.Err != nil || !partner.Failovers.Complete():
			return fmt.Sprintf("recorded under failover %s; this server names none, and its partner %s could not be asked: it is left as it is", rel.label, partner.Host)
		case r.stillShares(rel, partner, scope):
			return fmt.Sprintf("recorded under failover %s; this server names none, but its partner %s still does: it is left as it is", rel.label, partner.Host)
		}
	}
	return ""
}

// stillShares reports whether a server says that a scope belongs to a relationship.
func (r *Roster) stillShares(rel *relationship, s *windhcp.Server, scope windhcp.Scope) bool {
	twin, listed := s.Scope(scope.ID())
	return listed && strings.EqualFold(r.failoverOf(r.serverOf(s.Host), twin), rel.name)
}

// withoutContext finds the relationship that both a server and NetBox's record of a
// scope name, and that NetBox does not hold itself any more; nil: there is none. The
// context had its switch, so the scope waits until it is recorded again.
func (r *Roster) withoutContext(server int, scope windhcp.Scope) *relationship {
	rel := r.relationshipOn(server, r.failoverOf(server, scope))
	if rel == nil || rel.known || r.in.Policy.Imports() {
		return nil
	}
	for _, rec := range r.records {
		if rec.Subnet == scope.Subnet && rec.Source.Failover == rel.label {
			return rel
		}
	}
	return nil
}

package decide

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// agreedOn is what the judge saw NetBox and a server have in common when a run had
// read both (rule 5.6). It goes by the world, and by nothing that the mirror remembers.
type agreedOn struct {
	state   string
	options map[int]string // by code; one that neither had is there as ""
	listed  bool           // the options were read then
	off     bool           // a run deactivated the scope, since its record was deleted
}

func scopeText(host string, id netip.Addr) string { return host + " " + id.String() }

// standardOptions are the values that every client of a scope gets, by code, numbers as
// numbers.
func (s *wscope) standardOptions() map[int]string {
	out := make(map[int]string)
	for _, o := range s.options {
		if o.ForAll() && o.Code != 3 {
			out[o.Code] = optionWord(o.Code, strings.Join(o.Values, ", "))
		}
	}
	return out
}

func optionWord(code int, text string) string {
	if values, err := windhcp.ParseOption(optionKinds[code], text); err == nil {
		return strings.Join(values, ", ")
	}
	return text
}

// recordsFor are the records that may be a scope of a server.
func recordsFor(nb *state.State, host string, scope *wscope) (out []*record) {
	all, _ := recordsOf(nb.Ranges)
	for _, r := range all {
		if r.Subnet == scope.Subnet && (r.Source.Server == host || r.Source.Failover != "" && host != dh3) {
			out = append(out, r)
		}
	}
	return out
}

func (r *record) standardOptions() map[int]string {
	out := make(map[int]string)
	for _, o := range r.Options {
		if o.VendorClass == "" {
			out[o.Code] = optionWord(o.Code, o.Value)
		}
	}
	return out
}

// speaks is the server whose agreement counts for a scope: of partners, the first.
func speaks(host, failover string) string {
	if failover != "" {
		return dh1
	}
	return host
}

// overwritten finds a state or an option of a server that a run changed although
// NetBox does not say so, or although the server's had changed since both agreed, or
// nothing was agreed on (rule 5.6).
func (s *story) overwritten(before map[string]*machine, nb *state.State) string {
	for host, m := range before {
		for id, was := range m.scopes {
			now := s.w.servers[host].scopes[id]
			if now == nil {
				continue // judged by scopeLost
			}
			agreed := s.agreed[scopeText(speaks(host, was.Failover), id)]
			if problem := firstOf(s.stateOverwritten(host, was, now, agreed, recordsFor(nb, host, was)), s.optionsOverwritten(was, now, agreed, recordsFor(nb, host, was))); problem != "" {
				return fmt.Sprintf("scope %s of %s: %s", id, host, problem)
			}
		}
	}
	return ""
}

func (s *story) stateOverwritten(host string, was, now *wscope, agreed agreedOn, records []*record) string {
	old, word := stateWord(was.State), stateWord(now.State)
	asked := slices.ContainsFunc(records, func(r *record) bool { return stateWord(r.State) == word })
	switch {
	case old == word:
		return s.parted(host, now)
	case len(records) == 0 && word == stateInactive:
		a := s.agreed[scopeText(host, now.ID())]
		a.off = true
		s.agreed[scopeText(host, now.ID())] = a
		return "" // judged by scopeLost
	case word == stateActive && agreed.off && len(records) > 0:
		return ""
	case !asked:
		return fmt.Sprintf("it became %s, and NetBox does not say so", word)
	case agreed.state != old:
		return fmt.Sprintf("it became %s, and both agreed on %q", word, agreed.state)
	case word == stateActive && !s.p.ActivateScopes:
		return "it was activated without the setting"
	case was.Failover != "" && !s.p.PushToPartner:
		return "its state was changed without that of the partner"
	}
	return s.parted(host, now)
}

// parted finds partners in different states that a run left so by changing one.
func (s *story) parted(host string, now *wscope) string {
	if now.Failover == "" || s.changedBefore == nil {
		return ""
	}
	other := map[string]string{dh1: dh2, dh2: dh1}[host]
	twin, was := s.w.servers[other].scopes[now.ID()], s.changedBefore[other].scopes[now.ID()]
	mine := s.changedBefore[host].scopes[now.ID()]
	if twin == nil || was == nil || mine == nil || stateWord(twin.State) == stateWord(now.State) {
		return ""
	}
	if stateWord(mine.State) != stateWord(now.State) || stateWord(was.State) != stateWord(twin.State) {
		return "the state went to one partner alone"
	}
	return ""
}

func (s *story) optionsOverwritten(was, now *wscope, agreed agreedOn, records []*record) string {
	others := func(x *wscope) []windhcp.Option {
		return slices.DeleteFunc(slices.Clone(x.options), func(o windhcp.Option) bool { return o.ForAll() && o.Code != 3 })
	}
	if fmt.Sprint(others(was)) != fmt.Sprint(others(now)) {
		return "options of classes, policies or the router were changed"
	}
	old, is := was.standardOptions(), now.standardOptions()
	for code := range old {
		if _, there := is[code]; !there {
			return fmt.Sprintf("option %d was taken away", code)
		}
	}
	for code, value := range is {
		base, known := agreed.options[code]
		known = known || agreed.listed
		switch {
		case old[code] == value:
		case !slices.ContainsFunc(records, func(r *record) bool { return r.standardOptions()[code] == value }):
			return fmt.Sprintf("option %d became %s, and NetBox does not say so", code, value)
		case !known || base != old[code]:
			return fmt.Sprintf("option %d became %s, was %q, and both agreed on %q (known: %t)", code, value, old[code], base, known)
		case slices.ContainsFunc(was.options, func(o windhcp.Option) bool {
			return o.Code == code && o.VendorClass == "" && (!o.ForAll() || !o.ClassesTold)
		}):
			return fmt.Sprintf("option %d has values for a class or a policy, and was changed", code)
		}
	}
	return ""
}

// observeAgreement keeps what both sides have in common after a run that read them.
func (s *story) observeAgreement(in *plan.Input, made *plan.Plan) {
	home := string(s.w.homeContext().Data) == string(Home{ID: made.Memory.NetBox.ID, Keeper: here().Keeper}.Data())
	if !home {
		return
	}
	for i := range in.Windows {
		w := &in.Windows[i]
		for id, part := range w.Parts {
			scope := s.w.servers[w.Host].scopes[id]
			if scope != nil && !errors.Is(part.Options.Err, windhcp.ErrNotRead) && speaks(w.Host, scope.Failover) == w.Host {
				s.agree(w.Host, scope, part.Options.Err == nil && (s.p.RefreshOptions || s.p.Mode == plan.Import))
			}
		}
	}
	for i := range made.Steps {
		if x := &made.Steps[i]; x.Kind == plan.WindowsScope && x.Action == state.Create {
			// What it was made with is agreed on; of a scope that was there before, nothing is.
			scope := s.w.servers[x.Target].scopes[x.Scope.Addr()]
			s.agreed[scopeText(x.Target, scope.ID())] = agreedOn{listed: true, state: stateWord(scope.State)}
			s.agree(x.Target, scope, true)
		}
	}
}

func (s *story) agree(host string, scope *wscope, options bool) {
	k := scopeText(host, scope.ID())
	a := s.agreed[k]
	records := recordsFor(s.w.nb, host, scope)
	if slices.ContainsFunc(records, func(r *record) bool { return stateWord(r.State) == stateWord(scope.State) }) {
		a.state = stateWord(scope.State)
		a.off = a.off && a.state == stateInactive
	}
	if options && len(records) > 0 {
		have, both := scope.standardOptions(), make(map[int]string)
		for code, value := range a.options {
			both[code] = value
		}
		for _, r := range records {
			recorded := r.standardOptions()
			for code := range 256 {
				if recorded[code] == have[code] {
					both[code] = have[code]
				}
			}
		}
		a.options, a.listed = both, true
	}
	s.agreed[k] = a
}

// misdescribed finds a description that a run changed although people wrote it, or gave
// an address that is no reservation (rule 3.6).
func (s *story) misdescribed(before *state.State) string {
	had := make(map[int64]state.Address)
	for _, x := range before.Addresses {
		had[x.ID] = x
	}
	for _, y := range s.w.nb.Addresses {
		x := had[y.ID]
		switch {
		case x.Description == y.Description:
			continue
		case !s.p.SyncIPs || s.p.Mode == plan.Import:
			return fmt.Sprintf("%s got description %q although addresses are not synced", y.Address, y.Description)
		case x.Description != "" && s.wrote[y.ID] != x.Description:
			return fmt.Sprintf("description %q of %s, which people wrote, became %q", x.Description, y.Address, y.Description)
		}
		s.wrote[y.ID] = y.Description
	}
	return ""
}

// edits are what people do to states and options on both sides.
func (s *story) edits(anyScope func() *wscope) []func() {
	value := func(code int) []string {
		n := s.pick("value", 3)
		return map[int][]string{6: {fmt.Sprintf("10.1.1.%d", n)}, 15: {[]string{"a.example", "b.example", "a, b"}[n]}, 46: {fmt.Sprint(1 + n)}}[code]
	}
	codes := []int{6, 15, 46}
	anyRange := func(do func(*state.Range)) {
		if n := len(s.w.nb.Ranges); n > 0 {
			if r := &s.w.nb.Ranges[s.pick("range", n)]; r.Role == state.RoleScope {
				do(r)
			}
		}
	}
	return []func(){
		func() { anyScope().State = []string{"Active", "InActive", "Inactive"}[s.pick("state", 3)] },
		func() { code := codes[s.pick("code", 3)]; anyScope().setOption(code, value(code)) },
		func() {
			if x := anyScope(); len(x.options) > 0 {
				x.options = x.options[1:]
			}
		},
		func() {
			x := anyScope()
			x.options = append(x.options, windhcp.Option{Code: 6, Type: "IPv4Address", Values: []string{"10.9.9.9"}, Policy: "p", ClassesTold: true})
		},
		func() {
			anyRange(func(r *state.Range) {
				r.ScopeState = []string{"Active", "InActive", "Inactive", "", "Off"}[s.pick("state", 5)]
			})
		},
		s.editOption(anyRange, value), s.editOption(anyRange, value),
		func() { m := s.w.server([]string{dh1, dh2, dh3}[s.pick("server", 3)]); m.noOptions = !m.noOptions },
		func() { m := s.w.server([]string{dh1, dh2, dh3}[s.pick("server", 3)]); m.oldScript = !m.oldScript },
		func() { s.p.PushScopeInfo, s.p.PushToPartner, s.p.ActivateScopes = true, true, !s.p.ActivateScopes },
	}
}

// editOption changes, adds or removes an option of a record.
func (s *story) editOption(anyRange func(func(*state.Range)), value func(int) []string) func() {
	return func() {
		anyRange(func(r *state.Range) {
			var list []optionValue
			if json.Unmarshal(r.Options, &list) != nil {
				list = nil
			}
			code := []int{6, 15, 46}[s.pick("code", 3)]
			list = slices.DeleteFunc(list, func(o optionValue) bool { return o.Code == code })
			if !s.one("removed", 4) {
				list = append(list, optionValue{Code: code, Value: strings.Join(value(code), ", ")})
			}
			r.Options = document(list)
		})
	}
}

// rule 5.6: however people edit states and options on both sides, no value that Windows
// changed is overwritten, nothing is pushed without an agreement, and a second run
// changes nothing. The judge is that of all stories; here both sides meet more often.
func TestNoStateOrOptionOfAServerIsOverwritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStory(t)
		s.p.Mode = plan.Import
		s.round()
		s.p.Mode, s.p.PushScopeInfo, s.p.PushReservations, s.p.DeleteScopes = plan.Sync, true, false, false
		s.round()
		anyScope := func() *wscope { all := s.scopes(); return all[s.pick("scope", len(all))] }
		for range 3 + s.pick("rounds", 4) {
			edits := append(s.edits(anyScope),
				func() { s.trouble(anyScope(), s.w.server([]string{dh1, dh2, dh3}[s.pick("server", 3)])) },
				func() { s.w.memory, s.agreed = plan.Memory{}, make(map[string]agreedOn) },
				func() { delete(s.w.server(dh1).scopes, netip.MustParseAddr("10.0.0.0")) },
				func() { s.p.PushScopeInfo = s.one("push", 2) },
			)
			for range 2 + s.pick("edits", 8) {
				edits[s.pick("edit", len(edits))]()
			}
			s.round()
		}
	})
}

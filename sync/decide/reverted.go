package decide

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// attributes are those of a scope that follow the server, in words.
func (r *record) attributes() map[string]string {
	shown := r.LeaseDisplay
	if shown == "" && r.LeaseSeconds > 0 {
		shown = windhcp.FormatLifetime(r.LeaseSeconds)
	}
	return map[string]string{
		"name": r.Name, "description": r.Description, "state": r.State, "router": r.Router, "range": spanText(r.Start, r.End),
		"lease time": fmt.Sprintf("%s (%d s)", shown, r.LeaseSeconds), "exclusions": exclusionsText(r.Exclusions), "options": optionWords(r.Options),
	}
}

// optionWords is a list of options for people.
func optionWords(options []optionValue) string {
	texts := make([]string, len(options))
	for i, o := range slices.SortedFunc(slices.Values(options), optionValue.compare) {
		texts[i] = strings.TrimSpace(fmt.Sprintf("%s %d=%s", o.VendorClass, o.Code, o.Value))
	}
	return strings.Join(texts, "; ")
}

// unsettled are the attributes that this run leaves as NetBox has them, since the
// server's are not known or not believed yet.
func (u *unit) unsettled() map[string]bool {
	after := &u.compared.after
	return map[string]bool{
		"exclusions": !u.part.Exclusions.Complete() || !after.FewExclusions.First.IsZero(),
		"router":     !after.RouterGone.First.IsZero(),
		"options":    !u.options,
	}
}

// noteReverted tells of attributes that were edited in NetBox and go back to what
// the server has: without push_scope_info the server decides (rule 5.1). A value
// that the server changed is no edit, and what was never pulled is not known to be one.
// What NetBox keeps for now is not pulled: its edit is told when it goes.
func (sc *scoping) noteReverted(u *unit, want *record) {
	given := *want
	if given.LeaseDisplay = ""; given.LeaseSeconds <= 0 {
		given.LeaseDisplay = u.rec.LeaseDisplay
	}
	have, becomes := u.rec.attributes(), given.attributes()
	var edits []string
	unsettled := u.unsettled()
	for _, name := range slices.Sorted(maps.Keys(becomes)) {
		was, pulled := u.compared.before.Pulled[name]
		if pulled && was == becomes[name] && have[name] != was {
			edits = append(edits, fmt.Sprintf("%s %q becomes %q again", name, have[name], was))
		}
		switch kept := unsettled[name] && becomes[name] == have[name]; {
		case kept && pulled:
			becomes[name] = was
		case kept:
			delete(becomes, name)
		}
	}
	u.compared.after.Pulled = becomes
	if len(edits) > 0 {
		sc.note(plan.Note{Level: plan.Warning, Server: sc.host(u.server), Scope: u.scope.Subnet, Cause: plan.CauseReverted,
			Text: "edited in NetBox, but the server decides while push_scope_info is off: " + strings.Join(edits, "; ")})
	}
}

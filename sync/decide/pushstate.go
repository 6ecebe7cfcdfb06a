package decide

import (
	"fmt"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// The states of a scope, as a plan writes them.
const (
	stateActive   = "Active"
	stateInactive = "Inactive"
)

// stateWord is a state in the words of a plan: scripts differ in how they spell
// InActive. A word that is none of both stays.
func stateWord(text string) string {
	for _, word := range []string{stateActive, stateInactive} {
		if strings.EqualFold(text, word) {
			return word
		}
	}
	return text
}

// compareState decides which side's state of a scope counts, where NetBox is the truth
// for the rest (rule 5.6).
//
//	NetBox      server      both said   outcome
//	Y           X           X           pushed, or kept and told where that is not possible
//	X           Y           X           NetBox follows
//	Z           Y           X           conflict, nothing is done
//	Y           X           not known   NetBox follows, told
//	blank       X           any         NetBox follows: a blank says nothing
func (sc *scoping) compareState(u *unit, want *record) {
	c, server := u.compared, u.scope.State
	woken := !sc.memory.Records[c.key()].Off.IsZero() // the mirror deactivated it, and its record is back
	if server == "" || woken {
		return
	}
	base := c.before.State
	if base != nil {
		word := stateWord(*base)
		base = &word
	}
	netbox := stateWord(u.rec.State)
	if netbox == stateWord(server) {
		server = u.rec.State
	}
	switch changeOf(base, netbox, stateWord(server)) {
	case netboxChanged:
		if netbox == "" {
			break
		}
		if why := sc.stateObstacle(u, netbox); why != "" {
			c.tell(plan.Warning, "the state of the scope was changed to %s in NetBox, and is not pushed: %s", netbox, why)
			return
		}
		c.state = true
		return
	case bothChanged:
		c.tell(plan.Conflict, "the state of the scope was changed on both sides, to %s in NetBox and to %s on the server: make them the same", orNone(netbox), server)
		return
	case neverAgreed:
		if netbox != "" {
			c.tell(plan.Warning, "the state of the scope becomes %s, as the server has it, instead of %s, since it is not known which side is newer", server, netbox)
		}
	}
	want.State, c.after.State = server, &server
}

// wakes reports whether a run activates a scope.
func (u *unit) wakes() bool {
	return u.compared != nil && u.compared.state && stateWord(u.want.State) == stateActive
}

// stateObstacle says why the state of a scope cannot be pushed; empty: it can.
func (sc *scoping) stateObstacle(u *unit, word string) string {
	s := sc.asked(u.server)
	switch {
	case word != stateActive && word != stateInactive:
		return "it is neither Active nor Inactive"
	case !s.Lists:
		return "the server's script has no call for it: change it on Windows, or take the edit back"
	case word == stateActive && !sc.p.ActivateScopes:
		return "push.activate_scopes is off: activate it on Windows, switch that on, or take the edit back"
	case !s.Failovers.Complete():
		return "the relationships of the server could not be read"
	case u.source.Failover != "":
		return sc.partnerObstacle(u)
	case sc.failoverOf(u.server, u.scope) != "":
		return "it belongs to a relationship that NetBox does not know: import it"
	}
	return ""
}

// partnerObstacle says why a state cannot go to the partner, without which it goes to
// neither.
func (sc *scoping) partnerObstacle(u *unit) string {
	const both = ": the state goes to both servers of a relationship or to neither"
	if !sc.p.PushToPartner {
		return "the partner is not written to (push.push_to_partner is off)" + both
	}
	twins := sc.twins(u)
	if len(twins) != 1 {
		return "the partner did not show the scope" + both
	}
	twin := twins[0]
	host, word := sc.host(twin.server), stateWord(twin.scope.State)
	switch {
	case !sc.pushesScopes(twin.server):
		return fmt.Sprintf("the partner %s is not pushed to%s", host, both)
	case !sc.asked(twin.server).Lists:
		return fmt.Sprintf("the script of the partner %s has no call for it%s", host, both)
	case word != stateActive && word != stateInactive:
		return fmt.Sprintf("the partner %s does not tell its state%s", host, both)
	case sc.brake(u.server) == "" && sc.brake(twin.server) != "":
		return fmt.Sprintf("the partner %s is not written to, since %s%s", host, sc.brake(twin.server), both)
	}
	return ""
}

// pushState switches a scope on or off on its server and on the partner. Where a brake
// holds the step on the server back, the partner gets none.
func (sp *scopePush) pushState(u *unit) {
	if u.compared == nil {
		return
	}
	now := stateWord(u.want.State)
	if !u.compared.state {
		for _, twin := range sp.twins(u) {
			if t := sp.compared[twin]; t != nil && twin.scope.State != "" && stateWord(twin.scope.State) != stateWord(u.scope.State) {
				t.tell(plan.Warning, "the scope is %s here and %s on %s: make them the same on Windows", twin.scope.State, u.scope.State, sp.host(u.server))
			}
		}
		return
	}
	step := sp.stateStep(u.sighting, u.want, now)
	for _, twin := range sp.twins(u) {
		if !u.compared.pushes || stateWord(twin.scope.State) == now {
			continue
		}
		other := sp.stateStep(twin, u.want, now)
		other.With, step.With = step.Target, other.Target
		sp.step(other)
	}
	sp.step(step)
}

func (sp *scopePush) stateStep(x *sighting, rec *record, now string) plan.Step {
	return plan.Step{
		Phase: plan.Push, Target: sp.host(x.server), Action: state.Update, Kind: plan.WindowsScope, Name: scopeName(rec.Name, rec.Subnet, rec.Source),
		Scope: rec.Subnet, VRF: rec.VRF, Changes: []plan.Change{{Field: "state", Old: stateWord(x.scope.State), New: now}}, Rule: "5.6", Why: "its state was changed in NetBox",
	}
}

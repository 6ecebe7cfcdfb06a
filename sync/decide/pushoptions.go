package decide

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// optionKey identifies an option of a scope: a vendor class numbers its own anew.
type optionKey struct {
	vendorClass string
	code        int
}

func (o optionValue) key() optionKey { return optionKey{o.VendorClass, o.Code} }

func (k optionKey) compare(o optionKey) int {
	return cmp.Or(cmp.Compare(k.vendorClass, o.vendorClass), cmp.Compare(k.code, o.code))
}

func (k optionKey) String() string {
	if k.vendorClass != "" {
		return fmt.Sprintf("option %d of vendor class %s", k.code, k.vendorClass)
	}
	return fmt.Sprintf("option %d", k.code)
}

// optionsByKey sorts options by what identifies them; false: one is there twice.
func optionsByKey(list []optionValue) (map[optionKey]*string, bool) {
	out := make(map[optionKey]*string, len(list))
	for i := range list {
		if out[list[i].key()] != nil {
			return nil, false
		}
		out[list[i].key()] = &list[i].Value
	}
	return out, true
}

// optionPush is an option that goes to a server.
type optionPush struct {
	value    optionValue // as NetBox has it
	old, now []string    // as the server has it, and as it is sent
}

// compareOptions decides for each option which side's value counts, where NetBox is
// the truth for the rest (rule 5.6).
//
//	NetBox   server   both said   outcome
//	Y        X        X           pushed, or kept and told where that is not possible
//	none     X        X           kept, told: an option is taken away by hand only
//	X        Y        X           NetBox follows, also where the server has none any more
//	Z        Y        X           conflict, nothing is done
//	Y        X        not known   NetBox follows, told
//	Y        none     none        pushed, or kept and told
func (sc *scoping) compareOptions(u *unit, want *record) {
	onServer := sc.optionsOf(u)
	netbox, single := optionsByKey(u.rec.Options)
	server, _ := optionsByKey(onServer)
	if !single {
		return // told where records are checked
	}
	var agreed []optionValue
	base := u.compared.before.Options
	if base != nil && *base != "" && json.Unmarshal([]byte(*base), &agreed) != nil {
		base = nil
	}
	before, _ := optionsByKey(agreed)
	want.Options, agreed = nil, nil
	for _, k := range optionKeys(u.rec.Options, onServer) {
		value, both := sc.compareOption(u, k, netbox[k], server[k], before[k], base != nil)
		if value != nil {
			want.Options = append(want.Options, optionValue{k.code, k.vendorClass, *value})
		}
		if both != nil {
			agreed = append(agreed, optionValue{k.code, k.vendorClass, *both})
		}
	}
	slices.SortFunc(want.Options, optionValue.compare)
	text := optionsText(agreed)
	u.compared.after.Options, u.options = &text, true
}

// optionKeys are the options of two lists, in order.
func optionKeys(a, b []optionValue) []optionKey {
	var keys []optionKey
	for _, o := range slices.Concat(a, b) {
		keys = append(keys, o.key())
	}
	slices.SortFunc(keys, optionKey.compare)
	return slices.Compact(keys)
}

// compareOption gives the value that NetBox is to have, and the one that both sides
// agree on; nil: none. known tells whether there was an agreement.
func (sc *scoping) compareOption(u *unit, k optionKey, netbox, server, base *string, known bool) (value, both *string) {
	c, kind := u.compared, sc.optionShown(u, k).Type
	word := func(v *string) string { // such that none differs from empty, and equal values are equal
		if v == nil {
			return ""
		}
		if values, err := windhcp.ParseOption(kind, *v); err == nil {
			return "=" + strings.Join(values, ", ")
		}
		return "=" + *v
	}
	var was *string
	if known {
		text := word(base)
		was = &text
	}
	switch changeOf(was, word(netbox), word(server)) {
	case neitherChanged:
		return netbox, netbox
	case netboxChanged:
		sc.offerOption(u, k, kind, netbox, server)
		return netbox, base
	case bothChanged:
		c.tell(plan.Conflict, "%s was changed on both sides, to %s in NetBox and to %s on the server: make them the same", k, shownOption(netbox), shownOption(server))
		return netbox, base
	case neverAgreed:
		if netbox != nil {
			c.tell(plan.Warning, "%s becomes %s, as the server has it, instead of %s, since it is not known which side is newer", k, shownOption(server), shownOption(netbox))
		}
	}
	return server, server
}

func shownOption(v *string) string {
	if v == nil {
		return "none"
	}
	return clipped(*v)
}

// offerOption pushes NetBox's value of an option, or tells why it is not.
func (sc *scoping) offerOption(u *unit, k optionKey, kind string, netbox, server *string) {
	c := u.compared
	if netbox == nil {
		c.tell(plan.Warning, "NetBox does not have %s any more, and the server has %s: an option is taken away by hand only, on Windows", k, shownOption(server))
		return
	}
	old, why := ownValues(u, k)
	now, err := windhcp.ParseOption(kind, *netbox)
	switch {
	case !sc.asked(u.server).SetsOptions:
		why = "the server's script has no call for it: change it on Windows, or take the edit back"
	case k.vendorClass != "":
		why = "it is one of a vendor class: change it on Windows"
	case k.code == optionRouter || k.code == optionLeaseTime:
		why = "router and lease time are fields of the scope"
	case why != "":
	case kind == "":
		why = "its type is not known here: set it once on Windows"
	case err != nil:
		why = err.Error()
	}
	if why != "" {
		c.tell(plan.Warning, "%s was changed to %s in NetBox, and is not pushed: %s", k, shownOption(netbox), why)
		return
	}
	c.options = append(c.options, optionPush{optionValue{Code: k.code, Value: *netbox}, old, now})
}

// ownValues are the values of an option that every client of the scope gets, as the
// server lists them. The reason says why they are not known to be the only ones.
func ownValues(u *unit, k optionKey) (values []string, why string) {
	for _, o := range u.part.Options.Items {
		switch {
		case o.Code != k.code || o.VendorClass != k.vendorClass:
		case !o.ClassesTold:
			return nil, "the server does not tell whether it is one of a user class or a policy"
		case o.UserClass != "" || o.Policy != "":
			return nil, "it has a value for a user class or a policy: change it on Windows"
		default:
			values = o.Values
		}
	}
	return values, ""
}

// optionShown is an option as a scope of the server shows it, the unit's own first;
// without one it has what Windows' own definition tells. An empty type is not known.
func (v *view) optionShown(u *unit, k optionKey) windhcp.Option {
	find := func(list []windhcp.Option) int {
		return slices.IndexFunc(list, func(o windhcp.Option) bool { return o.Code == k.code && o.VendorClass == k.vendorClass })
	}
	if i := find(u.part.Options.Items); i >= 0 {
		return u.part.Options.Items[i]
	}
	s := v.asked(u.server)
	for _, scope := range s.Scopes.Items {
		list := s.Parts[scope.ID()].Options.Items
		if i := find(list); i >= 0 {
			return list[i]
		}
	}
	o := windhcp.Option{Code: k.code, VendorClass: k.vendorClass}
	if k.vendorClass == "" {
		o.Type = windhcp.BuiltInType(k.code)
	}
	return o
}

// pushOptions sets options of a scope on its server.
func (sp *scopePush) pushOptions(u *unit) {
	if u.compared == nil || len(u.compared.options) == 0 {
		return
	}
	step := plan.Step{
		Phase: plan.Push, Target: sp.host(u.server), Action: state.Update, Kind: plan.WindowsOption, Scope: u.want.Subnet, VRF: u.want.VRF, Rule: "5.6", Why: "changed in NetBox",
	}
	var codes []string
	for _, o := range u.compared.options {
		step.Changes = append(step.Changes, plan.Change{Field: plan.OptionField(o.value.Code), Old: plan.OptionList(o.old), New: plan.OptionList(o.now)})
		codes = append(codes, fmt.Sprint(o.value.Code))
	}
	step.Name = fmt.Sprintf("option %s of %s", strings.Join(codes, ", "), scopeName(u.want.Name, u.want.Subnet, u.want.Source))
	sp.step(step)
	if u.source.Failover != "" {
		sp.note(plan.Note{Level: plan.Info, Server: sp.host(u.server), Scope: u.scope.Subnet, Cause: plan.CauseScopePush,
			Text: "failover does not copy options: replicate them to the partner on Windows"})
	}
}

// settleOptions takes what is pushed in this run for agreed.
func (c *comparison) settleOptions() {
	if len(c.options) == 0 || c.after.Options == nil {
		return
	}
	var agreed []optionValue
	if *c.after.Options != "" && json.Unmarshal([]byte(*c.after.Options), &agreed) != nil {
		return
	}
	for _, o := range c.options {
		agreed = slices.DeleteFunc(agreed, func(x optionValue) bool { return x.key() == o.value.key() })
		agreed = append(agreed, o.value)
	}
	slices.SortFunc(agreed, optionValue.compare)
	text := optionsText(agreed)
	c.after.Options = &text
}

// newOptions are the options that a scope is made with on a server. What cannot be set
// there stays in NetBox, told.
func (sp *scopePush) newOptions(server int, rec *record) (sent []windhcp.OptionValue, agreed []optionValue) {
	s := sp.asked(server)
	u := &unit{sighting: &sighting{server: server}}
	var left []string
	for _, o := range rec.Options {
		values, err := windhcp.ParseOption(sp.optionShown(u, o.key()).Type, o.Value)
		if !s.SetsOptions || o.VendorClass != "" || o.Code == optionRouter || o.Code == optionLeaseTime || err != nil {
			left = append(left, o.key().String())
			continue
		}
		sent, agreed = append(sent, windhcp.OptionValue{Code: o.Code, Values: values}), append(agreed, o)
	}
	if len(left) > 0 {
		why := "they are of a vendor class or of a type that is not pushed, or no values of their type"
		if !s.SetsOptions {
			why = "the server's script has no call for it"
		}
		sp.note(plan.Note{Level: plan.Warning, Server: s.Host, Scope: rec.Subnet, Cause: plan.CauseScopePush,
			Text: fmt.Sprintf("made without %s, since %s: set them on Windows (%s)", printable.Count(len(left), "option", "options"), why, strings.Join(left, ", "))})
	}
	return sent, agreed
}

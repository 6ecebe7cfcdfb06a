package decide

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// Options kept as fields of a scope and not in its list of options. A vendor
// class numbers its options anew, so only the standard ones are meant
// (rule 4 step 3).
const (
	optionRouter    = 3
	optionLeaseTime = 51
)

// optionDefinition names an option code. Vendor class and code identify it.
type optionDefinition struct {
	Code        int    `json:"code"`
	VendorClass string `json:"vendor_class,omitempty"`
	Name        string `json:"name"`
	Type        string `json:"type"`
	BuiltIn     bool   `json:"built_in,omitempty"`
}

// libraryValue is a value of an option that scopes share.
type libraryValue struct {
	optionValue
	Name string `json:"name,omitempty"` // friendly name
}

// optionsOf are the options of a unit as NetBox records them.
func (sc *scoping) optionsOf(u *unit) []optionValue {
	var out []optionValue
	for _, o := range forAllFirst(u.part.Options.Items) {
		if o.VendorClass == "" && (o.Code == optionRouter || o.Code == optionLeaseTime) {
			continue
		}
		v := optionValue{Code: o.Code, VendorClass: o.VendorClass, Value: strings.Join(o.Values, ", ")}
		if i := slices.IndexFunc(out, func(x optionValue) bool { return x.Code == v.Code && x.VendorClass == v.VendorClass }); i >= 0 {
			if out[i] != v {
				sc.note(plan.Note{Level: plan.Warning, Server: sc.host(u.server), Scope: u.scope.Subnet, Cause: plan.CauseOptionTwice,
					Text: fmt.Sprintf("option %d has several values, for a policy or user class: %q is recorded, %q is not", v.Code, out[i].Value, v.Value)})
			}
			continue
		}
		out = append(out, v)
	}
	slices.SortFunc(out, optionValue.compare)
	return out
}

// forAllFirst puts values that every client gets before those for clients of a
// user class or policy, which NetBox's record cannot tell apart: the first one of a
// code is recorded.
func forAllFirst(options []windhcp.Option) []windhcp.Option {
	some := func(o windhcp.Option) int {
		if o.UserClass != "" || o.Policy != "" {
			return 1
		}
		return 0
	}
	return slices.SortedStableFunc(slices.Values(options), func(a, b windhcp.Option) int { return some(a) - some(b) })
}

// recordOptions adds what the options of units need to the library: nothing
// in it is ever changed or removed (rule 4 step 3).
func (sc *scoping) recordOptions() {
	codes, values := sc.library(plan.CodesContext), sc.library(plan.ValuesContext)
	for _, u := range sc.units {
		if !u.options {
			continue
		}
		for _, o := range u.part.Options.Items {
			codes.define(o)
		}
		if u.compared != nil {
			for _, o := range u.compared.options {
				codes.define(sc.optionShown(u, o.value.key()))
			}
		}
		for _, v := range u.want.Options {
			values.keep(v)
		}
	}
	sc.extend(codes, "option_codes", codes.codes)
	sc.extend(values, "option_values", values.values)
}

// library is one config context of the option library, with what is new.
type library struct {
	name    string
	context *state.Context // nil: not there, or not readable
	known   contextData
	codes   []any
	values  []any
}

func (sc *scoping) library(name string) *library {
	l := &library{name: name}
	for i := range sc.nb.Contexts {
		if sc.nb.Contexts[i].Name == name {
			l.context = &sc.nb.Contexts[i]
		}
	}
	if l.context == nil {
		return l
	}
	if err := json.Unmarshal(l.context.Data, &l.known); err != nil {
		sc.note(plan.Note{Level: plan.Failure, Cause: plan.CauseLibrary, Text: fmt.Sprintf("config context %q cannot be read and is left alone: %v", name, err)})
		l.context = nil
	}
	return l
}

// define adds a definition unless vendor class and code have one, which is
// never renamed.
func (l *library) define(o windhcp.Option) {
	list := &l.known.WindowsDHCP.OptionCodes
	if slices.ContainsFunc(*list, func(d optionDefinition) bool { return d.Code == o.Code && d.VendorClass == o.VendorClass }) {
		return
	}
	d := optionDefinition{Code: o.Code, VendorClass: o.VendorClass, Name: cmp.Or(o.Name, fmt.Sprintf("Option %d", o.Code)), Type: "String"}
	*list = append(*list, d)
	l.codes = append(l.codes, d)
}

// keep adds a value unless the library has it.
func (l *library) keep(v optionValue) {
	list := &l.known.WindowsDHCP.Options
	if slices.ContainsFunc(*list, func(x libraryValue) bool { return x.optionValue == v }) {
		return
	}
	*list = append(*list, libraryValue{optionValue: v})
	l.values = append(l.values, libraryValue{optionValue: v})
}

// extend writes what is new into the context.
func (sc *scoping) extend(l *library, list string, added []any) {
	if l.context == nil || len(added) == 0 {
		return
	}
	sc.step(plan.Step{
		Phase: plan.Records, Target: plan.NetBox, Action: state.Update, Kind: state.ConfigContext, ID: l.context.ID, Name: l.name,
		Changes: []plan.Change{{Field: "data", Old: l.context.Data, New: appended(l.context.Data, list, added)}}, Rule: "4 step 3", Why: "options of scopes that the library lacks",
	})
}

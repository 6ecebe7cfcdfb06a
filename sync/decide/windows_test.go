package decide

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// onServer carries out a step on a Windows server, by the rules of
// rule 1.2 and 1.3.
func (w *world) onServer(s *plan.Step) error {
	m := w.servers[s.Target]
	switch {
	case m == nil || m.down:
		return fmt.Errorf("%s does not answer", s.Target)
	case s.Phase != plan.Push:
		return fmt.Errorf("servers are written to in phase %d, not %d", plan.Push, s.Phase)
	}
	scope := m.scopes[s.Scope.Addr()]
	switch {
	case s.Kind == plan.WindowsScope && s.Action == state.Create:
		return m.createScope(s)
	case scope == nil || scope.Subnet != s.Scope:
		return fmt.Errorf("404: no scope %s", s.Scope)
	case s.Kind == plan.WindowsScope && s.Action == state.Update:
		return scope.change(s)
	case s.Kind == plan.WindowsScope && s.Action == state.Delete:
		if scope.Active() || len(scope.leases) > 0 || s.Record == 0 {
			return errors.New("a scope that is in use is deleted")
		}
		delete(m.scopes, scope.ID())
		return nil
	case s.Kind == plan.WindowsExclusion:
		return scope.changeExclusion(s)
	case s.Kind == plan.WindowsOption && s.Action == state.Update && !m.oldScript && !m.noOptions:
		return scope.changeOptions(s)
	case s.Kind == plan.WindowsReservation && s.Action == state.Create:
		return scope.addReservation(s)
	case s.Kind == plan.WindowsReservation:
		return m.changeReservation(s)
	}
	return fmt.Errorf("no call does this: %s %s", s.Action, s.Kind)
}

func newValues(s *plan.Step) map[string]any {
	out := make(map[string]any)
	for _, c := range s.Changes {
		out[c.Field] = c.New
	}
	return out
}

func textOf(v any) string { s, _ := v.(string); return s }

func (m *machine) createScope(s *plan.Step) error {
	v := newValues(s)
	id := netip.MustParseAddr(textOf(v["scope_id"]))
	mask := net.IPMask(netip.MustParseAddr(textOf(v["subnet_mask"])).AsSlice())
	bits, _ := mask.Size()
	if m.scopes[id] != nil {
		return errors.New("500: the scope exists already")
	}
	seconds, _ := v["lease_duration_seconds"].(int64)
	router, _ := netip.ParseAddr(textOf(v["router"]))
	scope := &wscope{Scope: windhcp.Scope{
		Subnet: netip.PrefixFrom(id, bits), Name: textOf(v["name"]), Description: textOf(v["description"]), State: cmp.Or(textOf(v["state"]), "Active"), LeaseSeconds: seconds, Router: router,
		Start: netip.MustParseAddr(textOf(v["start_ip"])), End: netip.MustParseAddr(textOf(v["end_ip"])),
	}}
	m.scopes[id] = scope
	var sent []struct {
		Code  int      `json:"code"`
		Value []string `json:"value"`
	}
	if raw, ok := v["options"].(json.RawMessage); ok {
		if err := json.Unmarshal(raw, &sent); err != nil || m.oldScript || m.noOptions {
			return fmt.Errorf("400: no options are set with a new scope here: %w", err)
		}
	}
	for _, o := range sent {
		scope.setOption(o.Code, o.Value)
	}
	return scope.check()
}

// changeOptions sets options as the script does: all of them or none, and none of a
// class or a policy.
func (s *wscope) changeOptions(step *plan.Step) error {
	for _, c := range step.Changes {
		code, ok := plan.OptionCode(c.Field)
		if !ok || len(plan.OptionValues(c.New)) == 0 {
			return fmt.Errorf("400: %s is not set", c.Field)
		}
		var have []string
		for _, o := range s.options {
			if o.Code == code && o.VendorClass == "" && (o.UserClass != "" || o.Policy != "") {
				return fmt.Errorf("500: option %d has values for a user class or a policy", code)
			}
			if o.Code == code && o.VendorClass == "" {
				have = o.Values
			}
		}
		if !slices.Equal(have, plan.OptionValues(c.Old)) {
			return fmt.Errorf("option %d is %q, not %v", code, have, asText(c.Old))
		}
	}
	for _, c := range step.Changes {
		code, _ := plan.OptionCode(c.Field)
		s.setOption(code, plan.OptionValues(c.New))
	}
	return nil
}

// optionKinds are the types of the options that tests use.
var optionKinds = map[int]string{6: "IPv4Address", 15: "String", 42: "IPv4Address", 43: "BinaryData", 46: "Byte", 66: "String"}

// setOption keeps a value as Windows does: a byte in hexadecimal.
func (s *wscope) setOption(code int, values []string) {
	o := windhcp.Option{Code: code, Type: optionKinds[code], Values: slices.Clone(values), ClassesTold: true}
	if o.Type == "Byte" {
		for i, v := range o.Values {
			var n int
			if _, err := fmt.Sscan(v, &n); err == nil {
				o.Values[i] = fmt.Sprintf("0x%x", n)
			}
		}
	}
	s.options = slices.DeleteFunc(slices.Clone(s.options), func(x windhcp.Option) bool { return x.Code == code && x.VendorClass == "" && x.ForAll() })
	s.options = append(s.options, o)
}

func (s *wscope) check() error {
	if s.End.Less(s.Start) || !s.Subnet.Contains(s.Start) || !s.Subnet.Contains(s.End) {
		return fmt.Errorf("500: %s-%s is no range of %s", s.Start, s.End, s.Subnet)
	}
	return nil
}

func (s *wscope) change(step *plan.Step) error {
	have := map[string]any{
		"name": s.Name, "start_ip": s.Start.String(), "end_ip": s.End.String(), "description": s.Description,
		"lease_duration_seconds": s.LeaseSeconds, "router": "", "state": stateWord(s.State),
	}
	if s.Router.IsValid() {
		have["router"] = s.Router.String()
	}
	for _, c := range step.Changes {
		if old, known := have[c.Field]; !known || old != c.Old {
			return fmt.Errorf("%s is %v, not %v", c.Field, old, c.Old)
		}
		switch c.Field {
		case "name":
			s.Name = textOf(c.New)
		case "start_ip":
			s.Start = netip.MustParseAddr(textOf(c.New))
		case "end_ip":
			s.End = netip.MustParseAddr(textOf(c.New))
		case "description":
			s.Description = textOf(c.New)
		case "router":
			s.Router, _ = netip.ParseAddr(textOf(c.New))
		case "lease_duration_seconds":
			s.LeaseSeconds, _ = c.New.(int64)
		case "state":
			s.State = textOf(c.New)
		}
	}
	return s.check()
}

func spans(v any) (out []windhcp.Exclusion, err error) {
	raw, ok := v.(json.RawMessage)
	if !ok {
		return nil, nil
	}
	var list []struct {
		Start netip.Addr `json:"start_ip"`
		End   netip.Addr `json:"end_ip"`
	}
	err = json.Unmarshal(raw, &list)
	for _, x := range list {
		out = append(out, windhcp.Exclusion{Start: x.Start, End: x.End})
	}
	return out, err
}

func (s *wscope) changeExclusion(step *plan.Step) error {
	c := step.Changes[0]
	old, errOld := spans(c.Old)
	add, errNew := spans(c.New)
	if err := errors.Join(errOld, errNew); err != nil {
		return err
	}
	if len(step.Changes) != 1 || c.Field != "exclusions" {
		return errors.New("no change of an exclusion")
	}
	for _, x := range old {
		i := slices.Index(s.exclusions, x)
		if i < 0 {
			return fmt.Errorf("404: no exclusion %s-%s", x.Start, x.End)
		}
		s.exclusions = slices.Delete(s.exclusions, i, i+1)
	}
	for _, x := range add {
		if slices.ContainsFunc(s.exclusions, x.Overlaps) || !s.Subnet.Contains(x.Start) || !s.Subnet.Contains(x.End) || x.End.Less(x.Start) {
			return fmt.Errorf("500: exclusion %s-%s overlaps another or leaves the subnet", x.Start, x.End)
		}
		s.exclusions = append(s.exclusions, x)
	}
	return nil
}

// fullName is what Windows makes of a reservation's name.
func fullName(name string) string {
	if name == "" || strings.Contains(name, ".") {
		return name
	}
	return name + ".corp.example"
}

var errReserved = errors.New("500: address or client is reserved already")

func (s *wscope) addReservation(step *plan.Step) error {
	v := newValues(step)
	r := windhcp.Reservation{
		Addr: netip.MustParseAddr(textOf(v["ip_address"])), ClientID: windhcp.ParseClientID(textOf(v["client_id"])),
		Name: fullName(textOf(v["name"])), Description: textOf(v["description"]), Type: textOf(v["type"]),
	}
	switch {
	case string(r.ClientID) != v["client_id"] || !r.ClientID.Canonical():
		return fmt.Errorf("client id %v would be stored as something else", v["client_id"])
	case !s.Subnet.Contains(r.Addr) || r.Addr != step.Addr:
		return fmt.Errorf("500: %s is outside of %s", r.Addr, s.Subnet)
	case slices.ContainsFunc(s.reservations, func(o windhcp.Reservation) bool { return o.Addr == r.Addr || o.ClientID == r.ClientID }):
		return errReserved
	}
	s.reservations = append(s.reservations, r)
	return nil
}

// errAmbiguous is the refusal of a change by client id that would hit the wrong
// reservation. A plan cannot know of those in scopes it did not read.
var errAmbiguous = errors.New("the server would take the first it finds")

// changeReservation changes or deletes by client id: the first match over all
// scopes, which has to be the only one.
func (m *machine) changeReservation(step *plan.Step) error {
	scope := m.scopes[step.Scope.Addr()]
	i := slices.IndexFunc(scope.reservations, func(r windhcp.Reservation) bool { return r.Addr == step.Addr })
	if i < 0 {
		return fmt.Errorf("404: no reservation %s", step.Addr)
	}
	r := &scope.reservations[i]
	for _, other := range m.scopes {
		for _, o := range other.reservations {
			if o.ClientID == r.ClientID && other != scope {
				return fmt.Errorf("client id %s is in scope %s too: %w", o.ClientID, other.Subnet, errAmbiguous)
			}
		}
	}
	have := map[string]any{"client_id": string(r.ClientID), "name": r.Name, "description": r.Description, "type": r.Type}
	for _, c := range slices.Concat(step.Changes, step.Observed) {
		if old, known := have[c.Field]; !known || old != c.Old {
			return fmt.Errorf("%s is %v, not %v", c.Field, old, c.Old)
		}
	}
	if step.Action == state.Delete {
		if len(step.Observed) == 0 {
			return errors.New("a delete that rests on nothing")
		}
		scope.reservations = slices.Delete(scope.reservations, i, i+1)
		return nil
	}
	for _, c := range step.Changes {
		switch c.Field {
		case "name":
			r.Name = fullName(textOf(c.New))
		case "description":
			r.Description = textOf(c.New)
		case "client_id":
			id := windhcp.ClientID(textOf(c.New))
			if slices.ContainsFunc(scope.reservations, func(o windhcp.Reservation) bool { return o.ClientID == id }) {
				return fmt.Errorf("client %s: %w", id, errReserved)
			}
			r.ClientID = id
		}
	}
	return nil
}

package plan

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/canonjson"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Allowed is the second guard. It checks a step against what the rules leave to
// the mirror, right before the step is carried out, so that a mistake in
// planning cannot touch what is not the mirror's (rules 3.5, 3.7 and 5). It
// knows nothing of how the step came about. It relies on the step being carried
// out only if Observed and the old values still hold.
func (p *Policy) Allowed(s *Step) error {
	if err := s.wellFormed(); err != nil {
		return err
	}
	if s.Target != NetBox {
		return p.allowedOnServer(s)
	}
	if s.Action != state.Create && s.ID <= 0 {
		return fmt.Errorf("%s of a %s names no object", s.Action, s.Kind)
	}
	if s.Action == state.Delete && s.Kind != state.IPAddress && s.Kind != state.IPRange {
		return fmt.Errorf("the mirror never deletes a %s", s.Kind)
	}
	switch s.Kind {
	case state.IPAddress:
		return p.allowedAddress(s)
	case state.IPRange:
		return p.allowedRange(s)
	case state.IPPrefix:
		if s.Action == state.Create {
			return s.touches("prefix", "vrf", "status", CustomField(state.FieldScopes))
		}
		return s.touches(CustomField(state.FieldScopes))
	case state.ConfigContext:
		return s.allowedContext()
	}
	return fmt.Errorf("%s is not the mirror's to change", s.Kind)
}

// wellFormed refuses a step that says two things at once: then the checks after it
// would look at one of them only.
func (s *Step) wellFormed() error {
	if !slices.Contains([]state.Action{state.Create, state.Update, state.Delete}, s.Action) {
		return fmt.Errorf("no such action: %q", s.Action)
	}
	if s.Target == NetBox && s.Action == state.Delete && len(s.Changes)+len(s.AddTags)+len(s.RemoveTags) > 0 {
		return errors.New("a delete changes nothing before")
	}
	for i, c := range s.Changes {
		if slices.ContainsFunc(s.Changes[:i], func(o Change) bool { return o.Field == c.Field }) {
			return fmt.Errorf("%s is changed twice", c.Field)
		}
	}
	for i, c := range s.Observed {
		if slices.ContainsFunc(s.Observed[:i], func(o Change) bool { return o.Field == c.Field }) {
			return fmt.Errorf("%s is observed twice", c.Field)
		}
		// NetBox's writer compares nothing else of an object that still has the
		// time stamp that was seen.
		if c.Field == "last_updated" {
			return errors.New("a time stamp says nothing about whose an object is")
		}
	}
	return nil
}

// touches refuses a step that changes other fields than these, or other tags than
// the mirror's own.
func (s *Step) touches(fields ...string) error {
	for _, c := range s.Changes {
		if !slices.Contains(fields, c.Field) {
			return fmt.Errorf("%s of %s is not the mirror's to change", c.Field, s.Kind)
		}
	}
	for _, tag := range slices.Concat(s.AddTags, s.RemoveTags) {
		invalid := tag == state.TagInvalid && s.Kind == state.IPAddress && s.Action == state.Update
		scope := tag == state.TagScope && s.Kind == state.IPRange && len(s.RemoveTags) == 0
		if !invalid && !scope {
			return fmt.Errorf("tag %s on a %s is not the mirror's", tag, s.Kind)
		}
	}
	return nil
}

// becomes is the new value of a field; false if the step does not change it.
func (s *Step) becomes(field string) (any, bool) {
	if i := slices.IndexFunc(s.Changes, func(c Change) bool { return c.Field == field }); i >= 0 {
		return s.Changes[i].New, true
	}
	return nil, false
}

// had is the text of a field before the step; false if the step does not change it.
func (s *Step) had(field string) (string, bool) {
	if i := slices.IndexFunc(s.Changes, func(c Change) bool { return c.Field == field }); i >= 0 {
		text, _ := s.Changes[i].Old.(string)
		return text, true
	}
	return "", false
}

// rests is the text that a field has to show for the step to be carried out; empty
// if the step does not name the field.
func (s *Step) rests(field string) string {
	if i := slices.IndexFunc(s.Observed, func(c Change) bool { return c.Field == field }); i >= 0 {
		text, _ := s.Observed[i].Old.(string)
		return text
	}
	return ""
}

func (p *Policy) allowedAddress(s *Step) error {
	fields := addressFieldNames()
	switch {
	case !s.Addr.IsValid():
		return errors.New("the step names no address")
	case s.Action == state.Delete:
		return p.allowedDelete(s)
	case s.Action == state.Update:
		fields = fields[3:] // never address, VRF or tenant
	}
	if p.Mode == Migrate {
		fields = []string{CustomField(state.FieldManaged), "vrf", "tenant"}
		if i := slices.IndexFunc(s.Changes, func(c Change) bool { return (c.Field == "vrf" || c.Field == "tenant") && c.Old != nil }); i >= 0 {
			return fmt.Errorf("the %s of an address is given once", s.Changes[i].Field)
		}
	}
	if err := s.touches(fields...); err != nil {
		return err
	}
	if p.Mode == Import || p.Mode == Retire || p.Mode == Sync && !p.SyncIPs && len(s.Changes) > 0 || p.Mode != Sync && s.Action == state.Create {
		return errors.New("addresses are not synced by this run")
	}
	if status, changes := s.becomes("status"); changes && status != p.LeaseStatus && status != p.ReservationStatus && !p.givesBack(s) {
		return fmt.Errorf("%v is not a status the mirror gives", status)
	}
	provenance, changes := s.becomes(CustomField(state.FieldManaged))
	if text, _ := provenance.(string); changes && !slices.Contains([]state.Managed{state.Created, state.Adopted, state.Prestaged}, state.Managed(text)) {
		return fmt.Errorf("%v is not a provenance", provenance)
	}
	if address, changes := s.becomes("address"); changes {
		if prefix, err := netip.ParsePrefix(fmt.Sprint(address)); err != nil || prefix.Addr() != s.Addr {
			return fmt.Errorf("address %v is not that of the step, %s", address, s.Addr)
		}
	}
	return nil
}

// givesBack reports whether a step takes a status of the mirror's off an address
// that it adopted.
func (p *Policy) givesBack(s *Step) bool {
	old, _ := s.had("status")
	return s.Action == state.Update && p.Mode == Sync && s.rests(CustomField(state.FieldManaged)) == string(state.Adopted) && p.OwnStatus(old)
}

// allowedDelete: an address goes only with a status of the mirror's own, and
// as a reservation only if the mirror made it. One that it adopted never goes.
func (p *Policy) allowedDelete(s *Step) error {
	status, provenance := s.rests("status"), s.rests(CustomField(state.FieldManaged))
	x := state.Address{Status: status, Managed: state.Managed(provenance)}
	c, _ := p.ClassOf(&x)
	own := x.Managed != state.Adopted && (c == ClassLease || c == ClassReservation && Managed(&x) && (!p.PushReservations || p.ServerWins()))
	if own && status != "" && p.Mode == Sync && p.SyncIPs {
		return nil
	}
	return fmt.Errorf("an address with status %q and provenance %q is never deleted by this run", status, provenance)
}

// allowedRange: only ranges that are scopes, which a delete has to have seen.
// Role, VRF and status are given once.
func (p *Policy) allowedRange(s *Step) error {
	if p.Mode == Migrate {
		return errors.New("scopes are not written by this run")
	}
	if p.Mode == Retire && s.Action == state.Create {
		return errors.New("no scope is made by this run")
	}
	switch s.Action {
	case state.Delete:
		if (s.rests(CustomField(state.FieldServer)) == "") == (s.rests(CustomField(state.FieldFailover)) == "") {
			return errors.New("an IP range without a source is not the mirror's to delete")
		}
		return nil
	case state.Create:
		return s.touches(append(rangeFieldNames(), "vrf", "role", "status")...)
	}
	fields := rangeFieldNames()
	if p.AdoptRanges && p.Mode == Import {
		fields = append(fields, "role")
	}
	return s.touches(fields...)
}

// allowedContext: the mirror makes contexts that reach no device and adds to
// those of the library; the switch of a relationship is the operator's.
func (s *Step) allowedContext() error {
	if !strings.HasPrefix(s.Name, state.ContextName) {
		return fmt.Errorf("config context %q is not the mirror's", s.Name)
	}
	if s.Action == state.Update {
		if s.Name != CodesContext && s.Name != ValuesContext {
			return fmt.Errorf("config context %q is never changed", s.Name)
		}
		return s.touches("data")
	}
	tags, _ := s.becomes("tags")
	name, _ := s.becomes("name")
	if name != s.Name || !SameValue(tags, canonjson.Of([]string{state.TagData})) {
		return fmt.Errorf("config context %q has to be limited to tag %s", s.Name, state.TagData)
	}
	return s.touches("name", "is_active", "tags", "data")
}

// optionFields are the options that a step may set: none is taken away (rule 5.6).
func (s *Step) optionFields() (fields []string) {
	for _, c := range s.Changes {
		if _, ok := OptionCode(c.Field); ok && len(OptionValues(c.New)) > 0 {
			fields = append(fields, c.Field)
		}
	}
	return fields
}

// allowedOnServer goes by rule 5.
func (p *Policy) allowedOnServer(s *Step) error {
	on := false
	var fields []string
	switch s.Kind {
	case WindowsReservation:
		on = p.PushReservations && (s.Action != state.Delete || p.DeleteRemoved)
		fields = []string{"name", "description"}
		if s.Action == state.Create {
			fields = append(fields, "ip_address", "client_id", "type")
		} else if p.ReplaceClientID {
			fields = append(fields, "client_id")
		}
	case WindowsScope:
		on = p.PushScopeInfo && (s.Action != state.Delete || p.DeleteScopes)
		fields = []string{"name", "start_ip", "end_ip", "description", "router", "lease_duration_seconds"}
		if s.Action == state.Create {
			fields = append(fields, "scope_id", "subnet_mask", "state", "options")
		} else if s.Record > 0 && p.DeleteScopes { // on its way out, or back
			fields = []string{"state"}
		} else if now, turns := s.becomes("state"); turns && s.Record == 0 && (now == "Inactive" || now == "Active" && p.ActivateScopes) {
			fields = []string{"state"}
		}
	case WindowsExclusion:
		on = p.PushScopeInfo
		fields = []string{"exclusions"}
	case WindowsOption:
		on = p.PushScopeInfo && s.Action == state.Update
		fields = s.optionFields()
	}
	i := slices.IndexFunc(p.Servers, func(c Server) bool { return c.Host == s.Target })
	switch {
	case !on || p.ReadOnly || p.Mode != Sync:
		return fmt.Errorf("%s of a %s on a server is not switched on", s.Action, strings.TrimPrefix(string(s.Kind), "dhcp."))
	case i >= 0 && (p.Servers[i].ReadOnly || p.Servers[i].NoPush):
		return fmt.Errorf("%s is not written to", s.Target)
	case i < 0 || p.Servers[i].Disabled || p.Servers[i].Maintenance || !p.Servers[i].Selected:
		return fmt.Errorf("%s is not a server of this run", s.Target)
	case len(s.AddTags)+len(s.RemoveTags) > 0:
		return errors.New("nothing on a server has tags")
	case !s.Scope.IsValid():
		return errors.New("the step names no scope")
	}
	if s.Kind == WindowsScope && s.Action == state.Delete && s.rests("state") != "Inactive" {
		return errors.New("only a scope that hands nothing out is deleted")
	}
	if s.Kind != WindowsExclusion && s.Action == state.Delete && s.Record <= 0 {
		return errors.New("the step does not say which record of NetBox's change log proves that it was deleted there")
	}
	if s.Kind == WindowsReservation && s.Action != state.Create {
		_, replaced := s.becomes("client_id")
		if !replaced && s.rests("client_id") == "" {
			return errors.New("the step does not say whose reservation it means")
		}
	}
	return s.touches(fields...)
}

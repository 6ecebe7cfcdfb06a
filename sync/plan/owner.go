package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/object"
)

// Allowed checks a step against what tables 3.5 and 3.7 of windows-dhcp.md
// leave to the mirror, whoever made the plan: it is asked again right before
// the step is carried out, so that neither a mistake in planning nor an edited
// plan file can touch what is not the mirror's.
func (p *Policy) Allowed(s *Step) error {
	if s.Target != NetBox {
		return p.allowedOnServer(s)
	}
	var fields []string
	switch s.Kind {
	case object.IPAddress:
		fields = addressFieldOrder()
		if s.Action == object.Update {
			fields = fields[3:] // never address, VRF or tenant
		}
		if s.Action == object.Delete {
			return p.allowedDelete(s)
		}
	case object.IPRange:
		fields = append(rangeFieldOrder(), "vrf", "role", "status")
	case object.IPPrefix:
		fields = []string{"prefix", "vrf", "status", custom(object.FieldScopes)}
		if s.Action == object.Update {
			fields = fields[3:]
		}
	case object.ConfigContext:
		fields = []string{"name", "is_active", "tags", "data"}
	default:
		return fmt.Errorf("%s is not the mirror's to change", s.Kind)
	}
	if s.Action == object.Delete && s.Kind != object.IPRange {
		return fmt.Errorf("the mirror never deletes a %s", s.Kind)
	}
	for _, c := range s.Changes {
		if !slices.Contains(fields, c.Field) {
			return fmt.Errorf("%s of %s is not the mirror's to change", c.Field, s.Kind)
		}
	}
	for _, tag := range slices.Concat(s.AddTags, s.RemoveTags) {
		if tag != object.TagInvalid && tag != object.TagScope {
			return fmt.Errorf("tag %s is not the mirror's", tag)
		}
	}
	return nil
}

// allowedDelete: an address goes only with a status of the mirror's own, and
// as a reservation only if the mirror made or adopted it.
func (p *Policy) allowedDelete(s *Step) error {
	seen := make(map[string]any)
	for _, c := range s.Observed {
		seen[c.Field] = c.Old
	}
	status, _ := seen["status"].(string)
	provenance, _ := seen[custom(object.FieldManaged)].(string)
	x := object.Address{Status: status, Managed: object.Managed(provenance)}
	c, _ := p.classOf(&x)
	if c == leaseClass || c == reservationClass && managed(&x) && !p.PushReservations {
		return nil
	}
	return fmt.Errorf("an address with status %q and provenance %q is never deleted", status, provenance)
}

func (p *Policy) allowedOnServer(s *Step) error {
	on := false
	switch s.Kind {
	case WindowsReservation:
		on = p.PushReservations
	case WindowsScope, WindowsExclusion:
		on = p.PushScopeInfo
	}
	if s.Kind == WindowsScope && s.Action == object.Delete {
		on = false
	}
	if !on || p.ReadOnly || p.Mode != Sync {
		return fmt.Errorf("%s of a %s on a server is not switched on", s.Action, strings.TrimPrefix(string(s.Kind), "dhcp."))
	}
	return nil
}

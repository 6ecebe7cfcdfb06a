package ipam

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Followed is what a name in the settings leads to. Tags and VRFs are renamed,
// hidden and deleted, and none of that is an order to refuse everybody (T-6).
type Followed struct {
	ID     int64 // of the row that has the name, or had it last
	Former int64 // of the row that had the name before another one took it; 0: none
}

// Followed returns what the names of the settings lead to, by setting and name.
// It belongs into Options.Followed of the next Build.
func (s *Snapshot) Followed() map[string]Followed { return s.followed }

// names resolves the configured names to ids. A missing tag is no error: there
// are then no such addresses (P-18, H-1).
func (b *builder) names(opt Options) {
	s := b.s
	s.followed = make(map[string]Followed)
	dynamic := b.tag("dynamic.tag", opt.DynamicTag, opt)
	gateway := b.tag("gateway.tag", opt.GatewayTag, opt)
	b.roles(opt)
	s.dynamicTag, s.formerTag = dynamic.ID, dynamic.Former
	s.gatewayTag, s.formerGateway = gateway.ID, gateway.Former
	serve := b.tag("network.serve_tag", opt.ServeTag, opt)
	s.serveAll, s.serveTag, s.formerServe = opt.ServeTag == "", serve.ID, serve.Former
	if tag := s.objects.Tags[s.dynamicTag]; tag != nil {
		s.lostTag = tag.Loss
	}
	s.lostVRFs = make(map[int64]Loss)
	for id, vrf := range s.objects.VRFs {
		if vrf.Loss != Present {
			s.lostVRFs[id] = vrf.Loss
		}
	}
	b.vrf(opt)
}

// vrf resolves the VRF of the settings.
func (b *builder) vrf(opt Options) {
	s := b.s
	s.vrf = anyVRF
	if opt.VRF == "" {
		return
	}
	s.vrf = noVRF
	found := named(s.objects.VRFs, func(v *VRF) bool { return v.Name == opt.VRF || v.RD == opt.VRF }, func(v *VRF) Loss { return v.Loss })
	if len(found) > 1 {
		b.problemf("VRF "+opt.VRF, "several VRFs have this name: set netbox.vrf to the route distinguisher")
		return
	}
	f := b.follow("vrf", "VRF", opt.VRF, found, opt, func(id int64) string {
		if vrf := s.objects.VRFs[id]; vrf != nil {
			return vrf.Name
		}
		return ""
	})
	if f.ID == 0 {
		b.problemf("VRF "+opt.VRF, "not in NetBox: no client is served until netbox.vrf names an existing VRF")
		return
	}
	s.vrf, s.formerVRF = f.ID, f.Former
	if f.Former != 0 {
		s.lostVRFs[f.Former] = max(s.lostVRFs[f.Former], Lost)
	}
}

func (b *builder) tag(setting, name string, opt Options) Followed {
	if name == "" {
		return Followed{}
	}
	tags := b.s.objects.Tags
	found := tagsNamed(tags, name)
	f := b.follow(setting, "tag", name, found[:min(1, len(found))], opt, func(id int64) string {
		if tag := tags[id]; tag != nil {
			return tag.Name
		}
		return ""
	})
	if f.ID == 0 {
		b.problemf("tag "+name, "not in NetBox: create it or set netbox.%s", setting)
	}
	return f
}

// tagsNamed are the ids of the tags with a name or slug, compared without case.
func tagsNamed(tags map[int64]*Tag, name string) []int64 {
	return named(tags, func(t *Tag) bool { return strings.EqualFold(t.Name, name) || strings.EqualFold(t.Slug, name) }, func(t *Tag) Loss { return t.Loss })
}

// roles resolves the roles that make ranges pools. They are known from the ranges
// that have them: without one there is nothing to follow.
func (b *builder) roles(opt Options) {
	roles := make(map[int64]*Role)
	for _, r := range b.s.objects.Ranges {
		if r.Role.ID != 0 {
			roles[r.Role.ID] = &r.Role
		}
	}
	called := func(id int64) string {
		if role := roles[id]; role != nil {
			return role.Name
		}
		return ""
	}
	b.s.poolRoles = make(map[int64]Loss)
	for _, name := range opt.DynamicRoles {
		found := named(roles, func(r *Role) bool { return strings.EqualFold(r.Name, name) || strings.EqualFold(r.Slug, name) }, func(*Role) Loss { return Present })
		key := "dynamic.roles " + strings.ToLower(name)
		if f, known := opt.Followed[key]; len(found) == 0 && (!known || called(f.ID) == "") {
			b.problemf("IPAM role "+name, "no IP range has it: give it to the ranges that are pools, or correct netbox.dynamic.roles")
			if known {
				b.s.followed[key] = f
				b.s.poolRoles[f.ID] = Present
			}
			continue
		}
		f := b.follow("dynamic.roles", "IPAM role", name, found[:min(1, len(found))], opt, called)
		if _, current := b.s.poolRoles[f.Former]; f.Former != 0 && !current {
			b.s.poolRoles[f.Former] = Lost
		}
		b.s.poolRoles[f.ID] = Present
	}
}

// named lists the rows that fit, by id. Rows that vanished count only where
// nothing else fits.
func named[V any](rows map[int64]*V, fits func(*V) bool, loss func(*V) Loss) (found []int64) {
	for _, lost := range []bool{false, true} {
		for _, id := range slices.Sorted(maps.Keys(rows)) {
			if (loss(rows[id]) != Present) == lost && fits(rows[id]) {
				found = append(found, id)
			}
		}
		if len(found) > 0 {
			break
		}
	}
	return found
}

// follow notes what a name leads to. Where it leads nowhere, the id it led to
// last counts (T-6).
func (b *builder) follow(setting, noun, name string, found []int64, opt Options, called func(int64) string) Followed {
	key := setting + " " + strings.ToLower(name)
	f := opt.Followed[key]
	switch {
	case len(found) == 0 && f.ID == 0:
		return f
	case len(found) == 0 && called(f.ID) != "":
		b.problemf(noun+" "+name, "now called %q (id %d), which counts for it: set netbox.%s to that name", called(f.ID), f.ID, setting)
	case len(found) == 0:
		b.problemf(noun+" "+name, "no longer in NetBox: what has its id %d still counts; create it anew or set netbox.%s", f.ID, setting)
	case f.ID != 0 && f.ID != found[0]:
		f = Followed{ID: found[0], Former: f.ID}
	default:
		f.ID = found[0]
	}
	if f.Former == f.ID {
		f.Former = 0
	}
	if f.Former != 0 {
		former := fmt.Sprintf("id %d", f.Former)
		if n := called(f.Former); n != "" {
			former = fmt.Sprintf("%q (%s)", n, former)
		}
		b.problemf(noun+" "+name, "another one (id %d) has this name now; what is under %s keeps its leases and gives no new ones", f.ID, former)
	}
	b.s.followed[key] = f
	return f
}

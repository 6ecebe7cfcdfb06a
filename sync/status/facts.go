package status

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// server puts what is known of a server in words.
func (s *site) server(seen mirror.ServerSeen) server {
	set, _ := s.m.File.Sync.FindServer(seen.Host)
	out := server{
		Host: seen.Host, URL: strings.TrimSuffix(seen.URL, "/api/dhcp/"), State: answered, Asked: seen.Asked, Answered: seen.Answered, Script: seen.Version,
		Listed: len(seen.Listed), Warnings: seen.Warnings, Maintenance: set.Maintenance,
	}
	for _, x := range seen.Scopes {
		if x.Synced {
			out.Read++
		}
	}
	switch {
	case seen.Silent != "":
		out.State, out.Why = notAsked, seen.Silent
	case seen.Asked.IsZero():
		out.State, out.Why = notAsked, "no run of this process did yet"
	case seen.Trouble != "":
		out.State, out.Why = noAnswer, seen.Trouble
	}
	switch {
	case set.OverSSH():
		out.Trust = s.hostKey(set.Host)
		return out
	case !set.HTTPS:
		out.Trust = "plain HTTP"
		return out
	case !set.Verify:
		out.Trust = "not verified"
		return out
	}
	out.Trust = "by the authorities of this machine"
	cert, err := s.m.Trust.Load(seen.Host)
	switch {
	case err != nil:
		out.Trust = err.Error()
	case cert != nil:
		out.Trust = "only this certificate"
		if cert.Authority {
			out.Trust = "what this authority signed"
		}
		out.Certificate = &pinned{Subject: cert.Subject, NotAfter: cert.NotAfter.UTC(), Fingerprint: cert.Fingerprint()}
	}
	return out
}

// hostKey says which host key of a server is trusted (rule 13.7).
func (s *site) hostKey(host string) string {
	server, _ := s.m.File.Sync.FindServer(host)
	keys, err := mirror.HostKeys(s.m.File, server).Of(server.Host, server.SSH.Port)
	switch {
	case err != nil:
		return err.Error()
	case len(keys) == 0:
		return "no host key"
	}
	var shown []string
	for _, key := range keys {
		shown = append(shown, key.Type+" "+key.Fingerprint)
	}
	return "only host key " + strings.Join(shown, ", ")
}

func scopesOf(seen mirror.ServerSeen, names map[int64]string) []scope {
	var out []scope
	for _, x := range seen.Scopes {
		row := scope{
			Scope: x.Scope, Name: x.Name, VRF: names[x.VRF], VRFID: x.VRF, Source: x.Source.String(), Server: seen.Host,
			Leases: x.Leases, Reservations: x.Reservations, InNetBox: x.Known, Synced: x.Synced, Why: x.Why,
			AsOf: seen.Answered, Stale: seen.Trouble != "",
		}
		i := slices.IndexFunc(seen.Listed, func(l windhcp.Scope) bool { return l.Subnet == x.Scope })
		if i >= 0 {
			row.Start, row.End = seen.Listed[i].Start, seen.Listed[i].End
		}
		out = append(out, row)
	}
	return out
}

// merged shows a scope of a relationship once, though both servers list it:
// as the one that reads it does.
func merged(scopes []scope) []scope {
	rank := func(s *scope) int {
		switch {
		case s.Synced && !s.Stale:
			return 0
		case s.Synced:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(scopes, func(a, b scope) int {
		return cmp.Or(a.Scope.Compare(b.Scope), cmp.Compare(a.Source, b.Source), rank(&a)-rank(&b))
	})
	return slices.CompactFunc(scopes, func(a, b scope) bool {
		return a.Scope == b.Scope && a.Source == b.Source
	})
}

// vrfNames are names for ids; the global table has none.
func vrfNames(p mirror.Known) map[int64]string {
	names := make(map[int64]string)
	for _, v := range p.VRFs {
		names[v.ID] = cmp.Or(v.Name, v.RD, strconv.FormatInt(v.ID, 10))
	}
	return names
}

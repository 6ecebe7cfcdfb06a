package ipam

import (
	"net/netip"
	"slices"
	"testing"
)

// onVLAN puts a prefix on a VLAN at a site.
func onVLAN(p *Prefix, vlan, site int64) *Prefix {
	p.VLAN, p.Scope = vlan, Scope{Kind: ScopeSite, ID: site}
	return p
}

// N-3, N-9: what in NetBox contradicts itself is named, once for each object;
// what only documents is not.
func TestContradictionsOfNetworks(t *testing.T) {
	for _, c := range []struct {
		name string
		rows []any
		want []string // objects
	}{
		{"a network with its gateway", []any{network(1, "10.0.0.0/24", 0), host(9, "10.0.0.1/24", 2)}, nil},
		{"a block around the gateway", []any{network(1, "10.0.0.0/24", 0), network(2, "10.0.0.0/28", 0), host(9, "10.0.0.1/24", 2)}, nil},
		{"a gateway that is a lone host", []any{network(1, "10.0.0.0/24", 0), host(9, "10.0.0.1/32", 2)}, nil},
		{"a prefix narrower than its gateway's mask", []any{network(1, "10.0.0.0/28", 0), host(9, "10.0.0.1/24", 2)}, []string{"prefix 10.0.0.0/28 (id 1)"}},
		{"a prefix wider than its gateway's mask", []any{network(1, "10.0.0.0/24", 0), host(9, "10.0.0.1/28", 2)}, []string{"prefix 10.0.0.0/24 (id 1)"}},
		{"a block with a VLAN around the gateway of the network", []any{network(1, "10.0.0.0/24", 0), onVLAN(network(2, "10.0.0.0/28", 0), 5, 1), host(9, "10.0.0.1/24", 2)},
			[]string{"prefix 10.0.0.0/28 (id 2)"}},
		{"one VLAN at one site", []any{onVLAN(network(1, "10.0.0.0/24", 0), 5, 1), onVLAN(network(2, "10.1.0.0/24", 0), 5, 1)}, nil},
		{"one VLAN at three sites", []any{onVLAN(network(1, "10.0.0.0/24", 0), 5, 1), onVLAN(network(2, "10.1.0.0/24", 0), 5, 2), onVLAN(network(3, "10.2.0.0/24", 0), 5, 3)},
			[]string{"prefix 10.1.0.0/24 (id 2)", "prefix 10.2.0.0/24 (id 3)"}},
		{"one VLAN in two VRFs", []any{&VRF{ID: 7, Name: "blue"}, onVLAN(network(1, "10.0.0.0/24", 0), 5, 1), onVLAN(network(2, "10.1.0.0/24", 7), 5, 2)}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, problems := Build(tables(c.rows...), usual)
			var got []string
			for _, p := range problems {
				got = append(got, p.Object)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("problems %v, want those of %v", problems, c.want)
			}
		})
	}
}

// G-2, N-5: the gateway of a nested network of its own is none of the wider one.
func TestGatewaysOfNestedNetworks(t *testing.T) {
	s, _ := Build(tables(network(1, "10.0.0.0/24", 0), network(2, "10.0.0.64/28", 0), network(3, "10.0.0.128/28", 0),
		host(9, "10.0.0.1/24", 2), host(10, "10.0.0.65/28", 2), host(11, "10.0.0.129/24", 2)), usual)
	for addr, want := range map[string][]int64{"10.0.0.9": {9, 11}, "10.0.0.70": {10}, "10.0.0.130": {9, 11}} {
		n, err := s.Network(netip.MustParseAddr(addr), 0)
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, g := range s.Gateways(n) {
			got = append(got, g.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: gateways %v, want %v", addr, got, want)
		}
	}
}

// an address whose mask no prefix has is one finding for its prefix.
func TestMasksThatDifferAreNamed(t *testing.T) {
	static := func(id int64, cidr string) *Address {
		return with(host(id, cidr), func(a *Address) { a.Interface = InterfaceID{Device, 1} })
	}
	const at = "prefix 10.0.0.0/24 (id 1): IP address "
	const says = ": clients are told the mask of the address; correct one of them (rule R-2)"
	for name, c := range map[string]struct {
		rows []any
		want string
	}{
		"the same mask":                {[]any{static(5, "10.0.0.5/24"), host(6, "10.0.0.6/24", 1)}, ""},
		"a static address":             {[]any{static(5, "10.0.0.5/25")}, at + "10.0.0.5/25 (id 5) has another mask" + says},
		"a dynamic address":            {[]any{host(5, "10.0.0.5/16", 1)}, at + "10.0.0.5/16 (id 5) has another mask" + says},
		"several":                      {[]any{static(5, "10.0.0.5/25"), static(6, "10.0.0.4/25"), host(7, "10.0.0.7/23", 1)}, at + "10.0.0.4/25 (id 6) has another mask, and 2 more" + says},
		"a lone host":                  {[]any{static(5, "10.0.0.5/32")}, ""},
		"a block that documents":       {[]any{network(2, "10.0.0.0/28", 0), static(5, "10.0.0.5/24")}, ""},
		"a /32 prefix for the address": {[]any{network(2, "10.0.0.5/32", 0), static(5, "10.0.0.5/25")}, at + "10.0.0.5/25 (id 5) has another mask" + says},
		"an address of no client":      {[]any{host(5, "10.0.0.5/25")}, ""},
		"no prefix at all":             {[]any{static(5, "10.9.0.5/25")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := Build(tables(append(c.rows, network(1, "10.0.0.0/24", 0))...), usual)
			got := ""
			for _, p := range problems {
				got += p.String()
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

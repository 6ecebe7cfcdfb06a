package ipam

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/option"
)

// says is an active context with the data given as JSON.
func says(id int64, name string, weight int, data string, limit ...func(*ConfigContext)) *ConfigContext {
	c := &ConfigContext{ID: id, Name: name, Weight: weight, Data: json.RawMessage(data)}
	for _, l := range limit {
		l(c)
	}
	return c
}

func tagged(slugs ...string) func(*ConfigContext) {
	return func(c *ConfigContext) { c.Tags = slugs }
}

// town is earth with tags and some prefixes.
func town(contexts ...*ConfigContext) *Objects {
	o := earth(contexts...)
	o.Tags = map[int64]*Tag{1: {ID: 1, Name: "DHCP", Slug: "dhcp"}, 2: {ID: 2, Name: "Gateway", Slug: "gateway"}, 5: {ID: 5, Name: "Voice", Slug: "voice"}, 6: {ID: 6, Name: "Guests", Slug: "guests"}}
	munich, berlin := Scope{Kind: ScopeSite, ID: 10}, Scope{Kind: ScopeSite, ID: 11}
	o.Prefixes = map[int64]*Prefix{
		1: {ID: 1, Prefix: netip.MustParsePrefix("10.1.0.0/24"), Status: "active", Scope: munich},
		2: {ID: 2, Prefix: netip.MustParsePrefix("10.1.1.0/24"), Status: "active", Scope: munich, Tags: []int64{5}},
		3: {ID: 3, Prefix: netip.MustParsePrefix("10.2.0.0/24"), Status: "active", Scope: berlin, Tags: []int64{5, 6}},
	}
	return o
}

// dataAt is what contexts say in the network of an address, to a machine or to nil.
func dataAt(t *testing.T, s *Snapshot, addr string, m *Machine) *ContextData {
	t.Helper()
	n, err := s.Subnet(netip.MustParseAddr(addr))
	if err != nil {
		t.Fatal(err)
	}
	return s.Data(n, m)
}

// all asks for every option.
func all() option.Client {
	c := option.Client{HasRequested: true, MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}}
	for code := range 255 {
		c.Requested = append(c.Requested, byte(code))
	}
	return c
}

// words renders what a client is sent as "66=tftp1 (source)".
func words(d *ContextData) string {
	var list []string
	for _, o := range d.Options.For(all()) {
		list = append(list, fmt.Sprintf("%d=%s (%s)", o.Code, o.Value, o.Source))
	}
	return strings.Join(list, "; ")
}

// CTX-1: contexts of a prefix's tags form one list with those of its place, by weight,
// then name, as NetBox lists them; one with a condition that only machines meet is in
// none.
func TestContextsApplyByTheTagsOfAPrefix(t *testing.T) {
	atMunich := func(c *ConfigContext) { c.Sites = []int64{10} }
	s, problems := Build(town(
		says(1, "all", 100, `{"options": {"root-path": "all", "tftp-server-name": "all"}}`),
		says(2, "voice", 1000, `{"options": {"tftp-server-name": "voice"}, "lease_time": 7200}`, tagged("voice")),
		says(3, "munich", 2000, `{"options": {"root-path": "munich"}}`, atMunich),
		says(4, "voice in munich", 3000, `{"options": {"bootfile-name": "b"}}`, tagged("voice", "nosuch"), atMunich),
		says(5, "guests", 3000, `{"lease_time": "30m"}`, tagged("guests")),
		says(6, "phones", 4000, `{"options": {"root-path": "machines"}}`, func(c *ConfigContext) { c.MachinesOnly = true }),
		says(7, "lost", 5000, `{"options": {"root-path": "lost"}}`, tagged("nosuch")),
		says(8, "none of ours", 5000, `{"mtu": 9000}`, tagged("voice")),
	), Options{})
	for _, p := range problems {
		if !strings.Contains(p.Object, "lost") && !strings.Contains(p.Object, "phones") {
			t.Errorf("problem: %s", p)
		}
	}
	for addr, want := range map[string]string{
		"10.1.0.9": `17=munich (config context "munich" (weight 2000)); 66=all (config context "all" (weight 100))`,
		"10.1.1.9": `17=munich (config context "munich" (weight 2000)); 66=voice (config context "voice" (weight 1000)); 67=b (config context "voice in munich" (weight 3000))`,
		"10.2.0.9": `17=all (config context "all" (weight 100)); 66=voice (config context "voice" (weight 1000))`,
	} {
		if got := words(dataAt(t, s, addr, nil)); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", addr, got, want)
		}
	}
	if got := dataAt(t, s, "10.2.0.9", nil).Lease.Time; got != (Said[time.Duration]{30 * time.Minute, `config context "guests" (weight 3000)`}) {
		t.Errorf("lease time %+v", got)
	}
	if got := dataAt(t, s, "10.1.0.9", nil).Lease.Time; got.IsSaid() {
		t.Errorf("lease time %+v without a tag", got)
	}
	if got := s.Data(nil, nil); got == nil || got.Options != nil {
		t.Errorf("without a network: %+v", got)
	}
}

// CTX-3, G-7: what is read today is read as before, also from a context that a tag
// makes apply.
func TestKeysOfTodayAreReadAsToday(t *testing.T) {
	s, _ := Build(town(
		says(1, "voice", 1000, `{"dns_servers": ["10.0.0.1"], "tftp_server": "10.0.0.2", "lease_time": 60}`, tagged("voice")),
		says(2, "munich", 1000, `{"dns_servers": ["10.0.0.9"]}`, func(c *ConfigContext) { c.Sites = []int64{10} }),
	), Options{})
	n, _ := s.Subnet(netip.MustParseAddr("10.1.1.9"))
	if len(n.Config.DNSServers) != 1 || n.Config.DNSServers[0] != netip.MustParseAddr("10.0.0.9") || n.Config.TFTPServer != "" {
		t.Errorf("%+v", n.Config)
	}
	m := &Machine{ID: MachineID{Device, 1}}
	if c := s.MachineConfig(m); c != nil && len(c.DNSServers) > 0 {
		t.Errorf("a machine of another context got %v", c.DNSServers)
	}
}

// CTX-2: a machine's rendered context lies over all contexts of the network, whatever
// their weights are.
func TestAMachinesContextLiesOverThoseOfTheNetwork(t *testing.T) {
	o := town(says(1, "voice", 30000, `{"options": {"tftp-server-name": "voice", "root-path": "r"}, "lease_time": 600, "lease_max": 1200}`, tagged("voice")))
	web := &Machine{ID: MachineID{Device, 1}, Name: "web", Context: json.RawMessage(`{"mtu": 9000, "options": {"tftp-server-name": "own"}, "lease_time": 300, "lease_max": null}`)}
	twin := &Machine{ID: MachineID{VirtualMachine, 1}, Name: "twin", Context: json.RawMessage(`{"mtu": 1500, "options": {"tftp-server-name": "own"}, "lease_max": null, "lease_time": 300}`)}
	plain := &Machine{ID: MachineID{Device, 2}, Name: "plain", Context: json.RawMessage(`{"mtu": 9000}`)}
	o.Machines = map[MachineID]*Machine{web.ID: web, plain.ID: plain, twin.ID: twin}
	s, problems := Build(o, Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, m := range []*Machine{web, twin} {
		got := dataAt(t, s, "10.1.1.9", m)
		if w := words(got); w != `17=r (config context "voice" (weight 30000)); 66=own (the machine's rendered context)` {
			t.Errorf("%s: %s", m.Name, w)
		}
		if got.Lease.Time.Value != 5*time.Minute || got.Lease.Max.IsSaid() {
			t.Errorf("%s: %+v", m.Name, got.Lease)
		}
	}
	if dataAt(t, s, "10.1.1.9", web) != dataAt(t, s, "10.1.1.9", twin) {
		t.Error("equal contexts were compiled twice")
	}
	if got := dataAt(t, s, "10.1.1.9", plain); got != dataAt(t, s, "10.1.1.9", nil) {
		t.Errorf("a context without these keys: %+v", got)
	}
	if got := words(dataAt(t, s, "10.1.0.9", web)); got != "66=own (the machine's rendered context)" {
		t.Errorf("in another network: %s", got)
	}
	if s.LongestLease() != 20*time.Minute {
		t.Errorf("longest lease %s", s.LongestLease())
	}
}

// CTX-2: beyond the pairs that are compiled ahead, the first client of a pair makes
// it, and all get the same.
func TestPairsBeyondTheLimitAreMadeOnce(t *testing.T) {
	o := town()
	for i := range int64(40) {
		id := 100 + i
		o.Tags[id] = &Tag{ID: id, Name: fmt.Sprint("t", id), Slug: fmt.Sprint("t", id)}
		o.Prefixes[id] = &Prefix{ID: id, Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, byte(i), 0}), 24), Status: "active", Tags: []int64{id}}
		o.Contexts = append(o.Contexts, says(id, fmt.Sprint("c", id), 1000, fmt.Sprintf(`{"options": {"root-path": "p%d"}}`, i), tagged(fmt.Sprint("t", id))))
		m := MachineID{Device, id}
		o.Machines = mapWith(o.Machines, m, &Machine{ID: m, Context: json.RawMessage(fmt.Sprintf(`{"options": {"tftp-server-name": "m%d"}}`, i))})
	}
	s, _ := Build(o, Options{})
	if len(s.contexts.pairs) != mostPairs {
		t.Fatalf("%d pairs ahead", len(s.contexts.pairs))
	}
	for i := range int64(40) {
		for j := range int64(40) {
			n, _ := s.Subnet(netip.AddrFrom4([4]byte{10, 9, byte(i), 7}))
			got := s.Data(n, o.Machines[MachineID{Device, 100 + j}])
			if w := words(got); !strings.HasPrefix(w, fmt.Sprintf("17=p%d ", i)) || !strings.Contains(w, fmt.Sprintf("66=m%d ", j)) {
				t.Fatalf("network %d, machine %d: %s", i, j, w)
			}
			if got != s.Data(n, o.Machines[MachineID{Device, 100 + j}]) {
				t.Fatal("made twice")
			}
		}
	}
}

func mapWith[K comparable, V any](m map[K]V, key K, value V) map[K]V {
	if m == nil {
		m = make(map[K]V)
	}
	m[key] = value
	return m
}

// CTX-4, G-9: a wrong value costs only itself, and the finding names context, key and
// fix. It is told once, also where machines show the same context.
func TestWrongLeaseKeysAreFindings(t *testing.T) {
	for name, c := range map[string]struct {
		data string
		want []string // findings, as far as they tell
		keep func(LeaseContext) bool
	}{
		"right values": {`{"lease_time": "8h", "lease_min": 60, "lease_max": "1d", "allow_unknown": false, "serve_clients": true, "keep_for_known": 20,
			"random_macs": {"allow": true, "lease_time": 900, "lease_min": 300, "lease_max": 900}}`, nil, func(l LeaseContext) bool {
			return l.Time.Value == 8*time.Hour && l.Min.Value == time.Minute && l.Max.Value == 24*time.Hour && l.AllowUnknown.IsSaid() && !l.AllowUnknown.Value &&
				l.ServeClients.Value && l.KeepForKnown.Value == 20 && l.RandomAllowed.Value && l.RandomTimes.Time.Value == 15*time.Minute
		}},
		"null says nothing": {`{"lease_time": null, "random_macs": null}`, nil, func(l LeaseContext) bool { return l == LeaseContext{} }},
		"below the shortest time": {`{"lease_time": 5, "lease_max": "10s"}`, []string{"lease_max: 60 s count", "lease_time: 60 s count"}, func(l LeaseContext) bool {
			return l.Time.Value == time.Minute && l.Max.Value == time.Minute
		}},
		"no times": {`{"lease_time": "soon", "lease_min": -5, "lease_max": 1e20, "serve_clients": true}`,
			[]string{"lease_max: want whole seconds", "lease_min: want whole seconds", `lease_time: want whole seconds, or a time such as 8h, of 60 s to 10 years, not "soon"`},
			func(l LeaseContext) bool { return l.LeaseTimes == LeaseTimes{} && l.ServeClients.IsSaid() }},
		"no units": {`{"lease_time": "8", "lease_min": "h", "lease_max": "1d12h"}`, []string{"lease_max: want", "lease_min: want", "lease_time: want"}, func(l LeaseContext) bool {
			return l.LeaseTimes == LeaseTimes{}
		}},
		"every unit": {`{"lease_time": "90m", "lease_min": "61s", "lease_max": "3650d"}`, nil, func(l LeaseContext) bool {
			return l.Time.Value == 90*time.Minute && l.Min.Value == 61*time.Second && l.Max.Value == longestLease
		}},
		"beyond the longest time": {`{"lease_max": "3651d"}`, []string{"lease_max: want"}, func(l LeaseContext) bool { return l.LeaseTimes == LeaseTimes{} }},
		"wrong types": {`{"allow_unknown": "no", "serve_clients": 0, "keep_for_known": 95, "random_macs": false}`,
			[]string{"allow_unknown: want true or false", "keep_for_known: want a whole number from 0 to 90", "random_macs: want an object", "serve_clients: want true or false"},
			func(l LeaseContext) bool { return l == LeaseContext{} }},
		"unknown keys below random_macs": {`{"random_macs": {"alow": false, "lease_time": 100}}`,
			[]string{"random_macs.alow: no such key; did you mean allow?"}, func(l LeaseContext) bool {
				return !l.RandomAllowed.IsSaid() && l.RandomTimes.Time.Value == 100*time.Second
			}},
	} {
		t.Run(name, func(t *testing.T) {
			o := town(says(7, "lab", 1000, c.data))
			web := &Machine{ID: MachineID{Device, 1}, Name: "web", Context: json.RawMessage(c.data)}
			o.Machines = map[MachineID]*Machine{web.ID: web}
			s, problems := Build(o, Options{})
			if len(problems) != len(c.want) {
				t.Errorf("problems %v, want %q", problems, c.want)
			}
			for i, p := range problems[:min(len(problems), len(c.want))] {
				if p.Object != "config context lab (id 7)" || !strings.Contains(p.Text, c.want[i]) {
					t.Errorf("problem %s, want %q", p, c.want[i])
				}
			}
			if l := dataAt(t, s, "10.1.0.9", nil).Lease; !c.keep(l) {
				t.Errorf("%+v", l)
			}
		})
	}
}

// CTX-3, G-9: contexts come from people: whatever is in one, a snapshot is built, and
// no lease time is below a minute.
func FuzzContextData(f *testing.F) {
	for _, seed := range []string{
		`{"lease_time": "8h", "options": {"tftp-server-name": "a"}, "vendor_classes": {"Cisco": {"options": {"150": ["10.0.0.1"]}}}}`,
		`{"random_macs": {"allow": false}, "keep_for_known": 90}`, `{"lease_min": 1e3}`, `{"lease_max": {"a": [null]}}`, `[]`, `{"lease_time": 99999999999999999999}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		web := &Machine{ID: MachineID{Device, 1}, Context: data}
		o := town(says(1, "fuzzed", 1000, string(data)), says(2, "over", 2000, `{"lease_time": 3600}`, tagged("voice")))
		o.Machines = map[MachineID]*Machine{web.ID: web}
		s, _ := Build(o, Options{})
		for _, d := range []*ContextData{dataAt(t, s, "10.1.0.9", nil), dataAt(t, s, "10.1.1.9", web)} {
			for _, said := range []Said[time.Duration]{d.Lease.Time, d.Lease.Min, d.Lease.Max, d.Lease.RandomTimes.Time, d.Lease.RandomTimes.Min, d.Lease.RandomTimes.Max} {
				if said.IsSaid() && (said.Value < ShortestLease || said.Value > longestLease) {
					t.Errorf("%+v", said)
				}
			}
			for _, o := range d.Options.For(all()) {
				if len(o.Value) == 0 || len(o.Value) > 255 || !slices.Contains(all().Requested, o.Code) {
					t.Errorf("%+v", o)
				}
			}
		}
	})
}

// CTX-7: what can never apply is named, with the reason.
func TestContextsThatNeverApplyAreNamed(t *testing.T) {
	rome := func(c *ConfigContext) { c.Sites = []int64{12} }
	machines := func(c *ConfigContext) { c.MachinesOnly = true }
	for name, c := range map[string]struct {
		context *ConfigContext
		machine string // context of the only machine
		want    []string
	}{
		"a tag of a prefix":             {says(1, "x", 1000, `{"lease_time": 600}`, tagged("voice")), `{}`, nil},
		"a tag of no prefix":            {says(1, "x", 1000, `{"lease_time": 600}`, tagged("gateway", "dhcp")), `{}`, []string{"no prefix there carries its tag gateway or dhcp"}},
		"a tag that a machine has":      {says(1, "x", 1000, `{"lease_time": 600}`, tagged("gateway")), `{"lease_time": 900, "lease_max": 900}`, nil},
		"a tag that no machine has":     {says(1, "x", 1000, `{"lease_time": 600, "lease_min": 600}`, tagged("gateway")), `{"lease_time": 600}`, []string{"no prefix there carries"}},
		"a tag at another place":        {says(1, "x", 1000, `{"lease_time": 600}`, tagged("voice"), rome), `{}`, []string{"no prefix there carries its tag voice"}},
		"a place without prefixes":      {says(1, "x", 1000, `{"lease_time": 600}`, rome), `{}`, []string{"no prefix is at its place"}},
		"a role that a machine has":     {says(1, "x", 1000, `{"lease_time": 600}`, machines), `{"lease_time": 600}`, nil},
		"a role that no machine has":    {says(1, "x", 1000, `{"lease_time": 600}`, machines), `{}`, []string{"prefixes never meet conditions on role"}},
		"strangers by a machine's role": {says(1, "x", 1000, `{"allow_unknown": false}`, machines), `{"allow_unknown": false}`, []string{"allow_unknown: it never applies"}},
		"only keys of today":            {says(1, "x", 1000, `{"mtu": 9000}`, rome), `{}`, nil},
		"options":                       {says(1, "x", 1000, `{"options": {"root-path": "a"}}`, rome), `{}`, []string{"no prefix is at its place"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := town(c.context)
			web := &Machine{ID: MachineID{Device, 1}, Name: "web", Context: json.RawMessage(c.machine)}
			o.Machines = map[MachineID]*Machine{web.ID: web}
			_, problems := Build(o, Options{})
			if len(problems) != len(c.want) {
				t.Fatalf("problems %v, want %q", problems, c.want)
			}
			for i, p := range problems {
				if p.Object != "config context x (id 1)" || !strings.Contains(p.Text, c.want[i]) {
					t.Errorf("%s, want %q", p, c.want[i])
				}
			}
		})
	}
}

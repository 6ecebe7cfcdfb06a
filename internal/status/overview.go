package status

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
)

// overview is everything the first page tells, and what /api/status.json gives. Text in it
// is as it came from the network.
type overview struct {
	Format   string    `json:"format"`
	Version  int       `json:"version"`
	Made     time.Time `json:"made"`
	Sentence string    `json:"sentence"` // the answer of the page
	Mood     page.Mood `json:"mood"`     // good, drift: to be looked at, or bad
	NotReady []string  `json:"not_ready"`

	Served        int  `json:"served_last_hour"` // clients that got an address
	ServedAtLeast bool `json:"served_at_least"`  // there were more than can be counted

	Leases  leaseCount `json:"leases"`
	NetBox  netBox     `json:"netbox"`
	Queue   int        `json:"write_back_queue"` // leases that NetBox was not told of yet
	Pools   []network  `json:"pools"`            // the fullest first
	Plugins []Plugin   `json:"plugins"`

	Unserved     int                    `json:"unserved_clients"` // within the last hour
	Findings     []finding              `json:"findings"`         // about the data in NetBox
	OtherServers []instance.OtherServer `json:"other_servers"`

	findings int // all of them
}

const (
	overviewFormat  = "coredhcp-netbox status"
	overviewVersion = 1
)

type leaseCount struct {
	Running     int `json:"running"`
	Ended       int `json:"ended"`
	Quarantined int `json:"quarantined"`
	Withdrawn   int `json:"withdrawn"`
}

// netBox is how it is with the source of all facts.
type netBox struct {
	URL       string    `json:"url,omitempty"`
	Inventory string    `json:"inventory,omitempty"` // the file that stands in for it
	Answers   bool      `json:"answers"`
	Answered  time.Time `json:"answered,omitzero"`
	Stale     bool      `json:"stale"`
	Prefixes  int       `json:"prefixes"`
	Addresses int       `json:"addresses"`
	Machines  int       `json:"machines"`
}

// finding is something in NetBox that is to be looked at.
type finding struct {
	Kind   string `json:"kind"`
	Object string `json:"object"`
	Text   string `json:"text"`
	NetBox string `json:"netbox,omitempty"` // where to look for it there
}

// The kinds of findings.
const (
	kindProblem    = "problem"
	kindDouble     = "double"
	kindLost       = "not shown"
	kindQuarantine = "quarantine"
	kindCable      = "wrong cable"
	kindName       = "name in DNS"
)

// mostFindings is how many findings are told at once.
const mostFindings = 500

// overview looks at everything that is known.
func (s *site) overview() *overview {
	i, now := s.Instance, s.Now()
	health := i.Health()
	o := &overview{
		Format: overviewFormat, Version: overviewVersion, Made: now.UTC(), NotReady: append([]string{}, i.NotReady()...),
		NetBox: netBox{URL: s.inNetBox("/"), Inventory: i.Settings.Inventory, Answers: health.Answers, Answered: health.Fresh.UTC(), Stale: health.Stale},
		Queue:  i.Engine.UnsyncedCount(), Plugins: []Plugin{}, OtherServers: i.OtherServers(now),
	}
	if health.Fresh.IsZero() {
		o.NetBox.Answered = time.Time{}
	}
	if snapshot := i.Snapshot(); snapshot != nil {
		objects := snapshot.Objects()
		o.NetBox.Prefixes, o.NetBox.Addresses, o.NetBox.Machines = len(objects.Prefixes), len(objects.Addresses), len(objects.Machines)
	}
	if s.config.Plugins != nil {
		o.Plugins = append(o.Plugins, s.config.Plugins()...)
	}
	o.Served, o.ServedAtLeast = s.feed.served.count(now)
	leases, turn := s.leaseList(), turns{}
	for k := range leases {
		turn.next()
		switch leases[k].Phase(now) {
		case lease.PhaseRunning:
			o.Leases.Running++
		case lease.PhaseQuarantined:
			o.Leases.Quarantined++
		case lease.PhaseWithdrawn:
			o.Leases.Withdrawn++
		case lease.PhaseEnded:
			o.Leases.Ended++
		}
	}
	unserved := i.Unserved(now)
	o.Unserved = len(unserved)
	o.Pools = s.pools()
	findings := s.findings(leases, now)
	o.findings, o.Findings = len(findings), findings[:min(len(findings), mostFindings)]
	v := verdict(o, health, unserved)
	o.Sentence, o.Mood = v.Sentence, v.Mood
	return o
}

// verdict is the answer in one sentence: what is worst for clients goes first (WEB-5).
func verdict(o *overview, health instance.Health, unserved []instance.Unserved) page.Verdict {
	bad := func(format string, args ...any) page.Verdict {
		return page.Verdict{Sentence: fmt.Sprintf(format, args...), Mood: page.Bad}
	}
	look := func(format string, args ...any) page.Verdict {
		return page.Verdict{Sentence: fmt.Sprintf(format, args...), Mood: page.Drift}
	}
	full := slices.IndexFunc(o.Pools, func(n network) bool { return n.Free == 0 })
	turned := slices.IndexFunc(unserved, func(u instance.Unserved) bool { return u.Reason == lease.ReasonPoolEmpty })
	switch {
	case !health.Known:
		return bad("No client is served: nothing is known of NetBox yet.")
	case !health.Store:
		return bad("New clients get nothing: there is no lease store.")
	case turned >= 0 && unserved[turned].Network.IsValid():
		return bad("New clients in %s get nothing: the pool is full.", unserved[turned].Network)
	case turned >= 0:
		return bad("New clients get nothing: their pool is full.")
	case health.Stale:
		return bad("Some clients get nothing: what is known of NetBox is too old.")
	case !health.Answers:
		return look("NetBox does not answer: clients are served as it was %s.", page.Ago(o.Made, health.Fresh))
	case full >= 0:
		return look("The pool in %s is full: a new client would get nothing.", o.Pools[full].Prefix)
	case o.Unserved > 0:
		return look("%s not served within the last hour.", page.Count(o.Unserved, "client was", "clients were"))
	case o.Served == 0:
		return page.Verdict{Sentence: "All is well: no client needed an address in the last hour.", Mood: page.Good}
	}
	more := map[bool]string{true: "more than "}[o.ServedAtLeast]
	return page.Verdict{Sentence: fmt.Sprintf("All is well: %s%s served in the last hour.", more, page.Count(o.Served, "client", "clients")), Mood: page.Good}
}

// findings lists what is to be looked at in NetBox, the data first.
func (s *site) findings(leases []lease.Lease, now time.Time) []finding {
	list := []finding{}
	for _, p := range s.Instance.Problems() {
		list = append(list, finding{Kind: kindProblem, Object: p.Object, Text: p.Text, NetBox: s.inNetBox(objectPath(p.Object))})
	}
	snapshot, _, doubles := s.ofSnapshot()
	list = append(list, doubles...)
	if snapshot != nil {
		for _, l := range snapshot.Losses() {
			if l.Lost > 0 {
				list = append(list, finding{Kind: kindLost, Object: l.Table, Text: fmt.Sprintf("%d of %d are no longer shown, although nobody deleted them", l.Lost, l.Rows)})
			}
		}
	}
	turn := turns{}
	for k := range leases {
		turn.next()
		if l := &leases[k]; l.Phase(now) == lease.PhaseQuarantined {
			list = append(list, finding{
				Kind: kindQuarantine, Object: l.Addr.String(), Text: "another host uses it: not leased until " + page.Stamp(l.Expires),
				NetBox: s.inNetBox("/ipam/ip-addresses/?address=" + l.Addr.String()),
			})
		}
	}
	for _, c := range s.Instance.Circuits(now).WrongCables {
		list = append(list, finding{Kind: kindCable, Object: c.Machine, Text: fmt.Sprintf("came by %s, whose cable leads to %s", c.Port, c.LeadsTo)})
	}
	for _, f := range s.Instance.DNSFindings() {
		text := f.Text
		if f.Fix != "" {
			text += "; to do: " + f.Fix
		}
		list = append(list, finding{Kind: kindName, Object: f.Object, Text: text})
	}
	return list
}

// double lists MAC addresses on several machines, and addresses with several owners.
func (s *site) double(snapshot *ipam.Snapshot) (list []finding) {
	machines := make(map[ipam.MAC]map[ipam.MachineID]string)
	turn := turns{}
	for _, m := range snapshot.Objects().MACs {
		turn.next()
		port := snapshot.Interface(m.Interface)
		if port == nil {
			continue
		}
		if machines[m.MAC] == nil {
			machines[m.MAC] = make(map[ipam.MachineID]string)
		}
		if machine := snapshot.Machine(port.Machine); machine != nil {
			machines[m.MAC][machine.ID] = machine.Name
		}
	}
	for mac, owners := range machines {
		if len(owners) > 1 {
			names := slices.Sorted(maps.Values(owners))
			list = append(list, finding{
				Kind: kindDouble, Object: "MAC address " + mac.String(), Text: "on several machines: " + strings.Join(names, ", "),
				NetBox: s.inNetBox("/dcim/mac-addresses/?mac_address=" + mac.String()),
			})
		}
	}
	slices.SortFunc(list, func(a, b finding) int { return strings.Compare(a.Object, b.Object) })
	for _, c := range snapshot.Contests() {
		list = append(list, finding{
			Kind: kindDouble, Object: "IP address " + c.Host.String(), Text: fmt.Sprintf("%d objects give it to different owners", len(c.Owners)),
			NetBox: s.inNetBox("/ipam/ip-addresses/?address=" + c.Host.String()),
		})
	}
	return list
}

// numbered is an object as problems name it: its kind first, its id last.
var numbered = regexp.MustCompile(`^(prefix|IP address|IP range|device|virtual machine|config context) .*\(id (\d+)\)$`)

// objectPath is the page in NetBox of an object that a problem names; empty: it has none.
func objectPath(object string) string {
	m := numbered.FindStringSubmatch(object)
	if m == nil {
		return ""
	}
	return map[string]string{
		"prefix": "/ipam/prefixes/", "IP address": "/ipam/ip-addresses/", "IP range": "/ipam/ip-ranges/", "device": "/dcim/devices/",
		"virtual machine": "/virtualization/virtual-machines/", "config context": "/extras/config-contexts/",
	}[m[1]] + m[2] + "/"
}

// What the first page shows at most of each kind; the JSON has more.
const (
	poolsShown    = 12
	findingsShown = 50
	othersShown   = 20
)

type home struct {
	page.Frame
	*overview
	Verdict page.Verdict
	Tiles   []page.Tile
	Fullest []network
	Others  []instance.OtherServer
	Look    []finding
	More    int // findings that are not shown
	Fresh   bool
}

func (s *site) homePage(w http.ResponseWriter, _ *http.Request) {
	o := s.overview()
	h := home{
		Frame: s.Frame("DHCP server", "./"), overview: o, Verdict: page.Verdict{Sentence: o.Sentence, Mood: o.Mood},
		Fullest: o.Pools[:min(len(o.Pools), poolsShown)], Others: o.OtherServers[:min(len(o.OtherServers), othersShown)],
		Look: o.Findings[:min(len(o.Findings), findingsShown)],
	}
	h.More, h.Reload, h.Tiles = o.findings-len(h.Look), 30, tiles(o)
	s.Render(w, http.StatusOK, "home", h)
}

func tiles(o *overview) []page.Tile {
	warn := func(is bool, mood page.Mood) page.Mood {
		if is {
			return mood
		}
		return page.Plain
	}
	free := 0
	for _, n := range o.Pools {
		free += n.Free
	}
	served := page.Figure(o.Served)
	if o.ServedAtLeast {
		served += "+"
	}
	return []page.Tile{
		{Label: printable.Noun(o.Served, "client", "clients") + " served in an hour", Figure: served, Link: "./live"},
		{Label: printable.Noun(o.Leases.Running, "running lease", "running leases"), Figure: page.Figure(o.Leases.Running), Link: "./leases?state=running"},
		{Label: printable.Noun(free, "free address", "free addresses"), Figure: page.Figure(free), Link: "./network", Class: warn(free == 0 && len(o.Pools) > 0, page.Bad)},
		{Label: "not served in an hour", Figure: page.Figure(o.Unserved), Link: "./unserved", Class: warn(o.Unserved > 0, page.Drift)},
		{Label: "in the queue to NetBox", Figure: page.Figure(o.Queue), Link: "#netbox", Class: warn(o.Queue > 0 && !o.NetBox.Answers, page.Drift)},
		{Label: "to look at", Figure: page.Figure(o.findings), Link: "#look", Class: warn(o.findings > 0, page.Drift)},
	}
}

// network is a prefix of NetBox and what its addresses are used for.
type network struct {
	Prefix netip.Prefix `json:"prefix"`
	VRF    string       `json:"vrf,omitempty"`
	VRFID  int64        `json:"vrf_id,omitempty"`
	VLAN   int64        `json:"vlan_id,omitempty"` // id of the VLAN object
	Static int          `json:"static"`            // addresses of machines, by NetBox

	Dynamic     int `json:"dynamic"` // addresses for clients, the sum of the following
	Free        int `json:"free"`
	Leased      int `json:"leased"`
	Offered     int `json:"offered"`
	Quarantined int `json:"quarantined"`
	Withheld    int `json:"withheld"` // for no new client now

	NetBox     string `json:"netbox,omitempty"`
	VLANNetBox string `json:"vlan_netbox,omitempty"`
}

// Use is how much of the dynamic addresses no new client can get, in percent.
func (n network) Use() int {
	if n.Dynamic == 0 {
		return 0
	}
	return (n.Dynamic - n.Free) * 100 / n.Dynamic
}

// mostNetworks is how many prefixes are told at once.
const mostNetworks = 2000

// pools are the prefixes with dynamic addresses, the fullest first.
func (s *site) pools() []network {
	list := slices.DeleteFunc(s.networks().Results, func(n network) bool { return n.Dynamic == 0 })
	slices.SortStableFunc(list, func(a, b network) int { return cmp.Or(cmp.Compare(b.Use(), a.Use()), cmp.Compare(a.Free, b.Free)) })
	return list
}

// networkList is an answer with prefixes.
type networkList struct {
	Count   int       `json:"count"` // also of those that are left out
	Results []network `json:"results"`
}

// networks are the prefixes with addresses for clients or machines, by VLAN, VRF and
// prefix. Of very many those without dynamic addresses are left out first.
func (s *site) networks() networkList {
	snapshot, statics, _ := s.ofSnapshot()
	if snapshot == nil {
		return networkList{Results: []network{}}
	}
	known := make(map[prefixKey]*network)
	for _, u := range s.usageList() {
		known[prefixKey{u.VRF, u.Prefix}] = &network{
			Prefix: u.Prefix, VRFID: u.VRF, Dynamic: u.Free + u.Leased + u.Offered + u.Quarantined + u.Withheld,
			Free: u.Free, Leased: u.Leased, Offered: u.Offered, Quarantined: u.Quarantined, Withheld: u.Withheld,
		}
	}
	for key, n := range statics {
		if known[key] == nil {
			known[key] = &network{Prefix: key.prefix, VRFID: key.vrf}
		}
		known[key].Static = n
	}
	for _, p := range snapshot.Objects().Prefixes {
		if n := known[prefixKey{p.VRF, p.Prefix}]; n != nil {
			n.VLAN, n.NetBox = p.VLAN, s.inNetBox(fmt.Sprintf("/ipam/prefixes/%d/", p.ID))
		}
	}
	list := make([]network, 0, len(known))
	for _, n := range known {
		if n.VRFID != 0 {
			n.VRF = cmp.Or(snapshot.VRFName(n.VRFID), fmt.Sprintf("VRF %d", n.VRFID))
		}
		if n.VLAN != 0 {
			n.VLANNetBox = s.inNetBox(fmt.Sprintf("/ipam/vlans/%d/", n.VLAN))
		}
		list = append(list, *n)
	}
	count := len(list)
	if count > mostNetworks {
		slices.SortFunc(list, func(a, b network) int { return cmp.Or(cmp.Compare(b.Dynamic, a.Dynamic), byPlace(a, b)) })
		list = list[:mostNetworks]
	}
	slices.SortFunc(list, byPlace)
	return networkList{Count: count, Results: list}
}

func byPlace(a, b network) int {
	return cmp.Or(cmp.Compare(a.VLAN, b.VLAN), cmp.Compare(a.VRFID, b.VRFID), a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()))
}

// wire is the networks of one VLAN on a page.
type wire struct {
	VLAN     int64 // 0: none
	NetBox   string
	Networks []network
}

func (s *site) networkPage(w http.ResponseWriter, _ *http.Request) {
	list := s.networks()
	shown := struct {
		page.Frame
		Wires       []wire
		Count, Left int
	}{Frame: s.Frame("Network", "./"), Count: list.Count, Left: list.Count - len(list.Results)}
	shown.Here, shown.Reload = "network", 60
	for _, n := range list.Results {
		if k := len(shown.Wires); k == 0 || shown.Wires[k-1].VLAN != n.VLAN {
			shown.Wires = append(shown.Wires, wire{VLAN: n.VLAN, NetBox: n.VLANNetBox})
		}
		last := &shown.Wires[len(shown.Wires)-1]
		last.Networks = append(last.Networks, n)
	}
	s.Render(w, http.StatusOK, "network", shown)
}

// bar is the use of a network as a picture.
type bar struct {
	Label string
	Parts []part
}

type part struct {
	Class      string
	From, Wide float64 // of 100
}

func newBar(n network) bar {
	b := bar{Label: fmt.Sprintf("%d %% of %d dynamic addresses are in use", n.Use(), n.Dynamic)}
	at := 0.0
	for _, p := range []struct {
		class string
		n     int
	}{{"leased", n.Leased}, {"offered", n.Offered}, {"withheld", n.Withheld}, {"quarantined", n.Quarantined}} {
		if p.n == 0 || n.Dynamic == 0 {
			continue
		}
		wide := float64(p.n) * 100 / float64(n.Dynamic)
		b.Parts = append(b.Parts, part{p.class, at, max(wide, 0.5)})
		at += wide
	}
	return b
}

// unservedClient is a client that was not served, with a way to the whole reason.
type unservedClient struct {
	instance.Unserved
	Words   string `json:"words"`
	Explain string `json:"explain,omitempty"` // query of the explain page
}

type unservedList struct {
	Count   int              `json:"count"`
	Results []unservedClient `json:"results"`
}

func (s *site) unserved() unservedList {
	list := unservedList{Results: []unservedClient{}}
	for _, u := range s.Instance.Unserved(s.Now()) {
		list.Results = append(list.Results, unservedClient{Unserved: u, Words: words(u.Reason), Explain: question{client: string(u.Client), message: "discover", relay: u.Relay, iface: u.Interface}.query()})
	}
	list.Count = len(list.Results)
	return list
}

func (s *site) unservedPage(w http.ResponseWriter, _ *http.Request) {
	shown := struct {
		page.Frame
		unservedList
	}{s.Frame("Not served", "./"), s.unserved()}
	shown.Here, shown.Reload = "unserved", 30
	s.Render(w, http.StatusOK, "unserved", shown)
}

// words says a reason to people.
func words(r lease.Reason) string {
	switch r {
	case lease.ReasonStatic:
		return "its address in NetBox"
	case lease.ReasonBound:
		return "its own lease"
	case lease.ReasonNew:
		return "a new address"
	case lease.ReasonOtherServer:
		return "it chose another server"
	case lease.ReasonPoolEmpty:
		return "the pool is full"
	case lease.ReasonUnserved:
		return "the network has no tag of network.serve_tag"
	case lease.ReasonClientsUnserved:
		return "unknown clients are not served there"
	case lease.ReasonRandomMAC:
		return "its MAC is a random one"
	case lease.ReasonUnknownClient:
		return "NetBox does not know it"
	case lease.ReasonNoSubnet:
		return "no prefix in NetBox holds it"
	case lease.ReasonAmbiguousVRF:
		return "several VRFs hold it: set netbox.vrf"
	case lease.ReasonConflict:
		return "its MAC is on several machines"
	case lease.ReasonLAGMember:
		return "its port is a member of an aggregate"
	case lease.ReasonRelayUnknown:
		return "its relay is in no prefix of NetBox"
	case lease.ReasonRelayUnlisted, lease.ReasonSenderUnlisted:
		return "its relay is not in network.relays"
	default: // metrics and traces have the same words
		return strings.ReplaceAll(string(r), "_", " ")
	}
}

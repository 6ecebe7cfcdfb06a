package status

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/history"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page"
)

// subject is a kind of thing of which everything that is known has a page, and is there
// for programs.
type subject struct {
	name    string // of its template, and of its value in the path of the page
	what    string // a path has to name
	example string // of a path for programs
	// facts are those of the thing that text names, with the frame of its page; false: it
	// names none.
	facts func(s *site, ctx context.Context, text string) (any, bool)
}

func addresses() subject {
	return subject{"address", "an IP address", "/api/ip/10.8.4.33.json", (*site).addressFacts}
}

func clients() subject {
	return subject{"client", "a MAC address or a client identifier", "/api/client/52:54:00:12:34:56.json", (*site).clientFacts}
}

func (s *site) subjectPage(k subject) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		facts, ok := k.facts(s, r.Context(), r.PathValue(k.name))
		if !ok {
			s.Fail(w, r, http.StatusBadRequest, "This is not "+k.what+".")
			return
		}
		s.Render(w, http.StatusOK, k.name, facts)
	}
}

func (s *site) subjectJSON(k subject) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text, isFile := strings.CutSuffix(r.PathValue("file"), ".json")
		facts, ok := k.facts(s, r.Context(), text)
		if !ok || !isFile {
			s.Refuse(w, "want "+k.what+", such as "+k.example)
			return
		}
		s.JSON(w, http.StatusOK, facts)
	}
}

// known is what is known of an address as well as of a client.
type known struct {
	page.Frame `json:"-"`

	Made     time.Time     `json:"made"`
	Objects  []object      `json:"objects"`  // in NetBox, that it is or belongs to
	Messages []messageView `json:"messages"` // the last ones about it
	History  past          `json:"history"`
	Explain  string        `json:"explain,omitempty"`
}

// newKnown begins the page of a thing, with what the history and the last messages say.
func (s *site) newKnown(title string, about filter, past past) known {
	k := known{Frame: s.Frame(title, "../"), Objects: []object{}, Messages: s.feed.last(about, messagesAbout), History: past}
	k.Query, k.Made = title, k.Now.UTC()
	return k
}

// object is something in NetBox.
type object struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Text   string `json:"text,omitempty"`
	NetBox string `json:"netbox,omitempty"`
}

// addressFacts is everything that is known of one address.
type addressFacts struct {
	Address netip.Addr `json:"address"`
	Lease   *leaseView `json:"lease"` // null: none
	For     string     `json:"for"`   // who it is for, in words
	Network string     `json:"network,omitempty"`
	NetBox  string     `json:"netbox,omitempty"`

	known
}

func (s *site) addressFacts(ctx context.Context, text string) (any, bool) {
	addr, ok := parseAddr(text)
	if !ok {
		return nil, false
	}
	before := s.pastOf(ctx, history.Query{Prefix: netip.PrefixFrom(addr, addr.BitLen())}, "coredhcp-netbox who "+addr.String())
	f := &addressFacts{known: s.newKnown(addr.String(), filter{addr: addr}, before), Address: addr, NetBox: s.inNetBox("/ipam/ip-addresses/?q=" + addr.String())}
	if l, ok := s.leaseOf(addr); ok {
		v := newLease(&l, f.Now)
		f.Lease = &v
		f.Explain = question{client: string(l.Shown()), message: "init-reboot", request: addr, relay: relayOf(f.Messages), iface: interfaceOf(f.Messages)}.query()
	}
	f.For = "nobody that is known"
	if f.Lease != nil && f.Lease.State == lease.PhaseRunning {
		f.For = "its client " + string(f.Lease.Client)
	}
	snapshot := s.Instance.Snapshot()
	if snapshot == nil {
		return f, true
	}
	if n, err := snapshot.Subnet(addr); err == nil {
		f.Network = n.Prefix.Prefix.String()
		f.Objects = append(f.Objects, object{Kind: "prefix", Name: f.Network, Text: n.Status, NetBox: s.inNetBox(fmt.Sprintf("/ipam/prefixes/%d/", n.ID))})
	}
	for _, a := range addressesIn(snapshot, addr) {
		s.tellAddress(f, snapshot, a)
	}
	return f, true
}

// leaseOf is the lease of an address, by the copy that pages show.
func (s *site) leaseOf(addr netip.Addr) (lease.Lease, bool) {
	list := s.leaseList()
	i, ok := slices.BinarySearchFunc(list, addr, func(l lease.Lease, a netip.Addr) int { return l.Addr.Compare(a) })
	if !ok {
		return lease.Lease{}, false
	}
	return list[i], true
}

// addressesIn are the objects of an address, of the global table and each VRF.
func addressesIn(snapshot *ipam.Snapshot, addr netip.Addr) (list []*ipam.Address) {
	if a := snapshot.Address(0, addr); a != nil {
		list = append(list, a)
	}
	for id := range snapshot.Objects().VRFs {
		if a := snapshot.Address(id, addr); a != nil {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b *ipam.Address) int { return cmp.Compare(a.VRF, b.VRF) })
	return list
}

// tellAddress adds what an object of the address says.
func (s *site) tellAddress(f *addressFacts, snapshot *ipam.Snapshot, a *ipam.Address) {
	switch {
	case a.Range != nil:
		f.Objects = append(f.Objects, object{
			Kind: "IP range", Name: a.Range.Start.String() + "-" + a.Range.End.String(), Text: a.Range.Status, NetBox: s.inNetBox(fmt.Sprintf("/ipam/ip-ranges/%d/", a.Range.ID)),
		})
	default:
		f.NetBox = s.inNetBox(fmt.Sprintf("/ipam/ip-addresses/%d/", a.ID))
		f.Objects = append(f.Objects, object{Kind: "IP address", Name: a.Address.String(), Text: a.Status, NetBox: f.NetBox})
	}
	if port := snapshot.Interface(a.Interface); port != nil {
		if m := snapshot.Machine(port.Machine); m != nil {
			f.For = fmt.Sprintf("%s %s, interface %s", m.ID.Kind, m.Name, port.Name)
			f.Objects = append(f.Objects, object{Kind: m.ID.Kind.String(), Name: m.Name, Text: "interface " + port.Name, NetBox: s.inNetBox(machinePath(m.ID))})
			return
		}
	}
	switch {
	case snapshot.IsReserved(a):
		f.For = "the client that its reservation in NetBox names"
	case snapshot.IsGateway(a):
		f.For = "the gateway of its network"
	case f.Lease == nil || f.Lease.State != lease.PhaseRunning:
		if snapshot.IsDynamic(a) {
			f.For = "any client: it is dynamic and free"
		}
	}
}

// clientFacts is everything that is known of one client.
type clientFacts struct {
	Client   lease.ClientID     `json:"client"`
	Leases   []leaseView        `json:"leases"`
	Unserved *instance.Unserved `json:"unserved"` // null: it was served, or not heard

	known
}

func (s *site) clientFacts(ctx context.Context, text string) (any, bool) {
	id, ok := clientOf(text)
	if !ok {
		return nil, false
	}
	before := s.pastOf(ctx, history.Query{Client: string(id)}, "coredhcp-netbox who --client "+string(id))
	f := &clientFacts{known: s.newKnown(string(id), filter{client: id}, before), Client: id, Leases: []leaseView{}}
	now, list := f.Now, s.leaseList()
	for i := range list {
		if l := &list[i]; l.Client == id || l.Hardware == id {
			f.Leases = append(f.Leases, newLease(l, now))
		}
	}
	for _, u := range s.Instance.Unserved(now) {
		if u.Client == id {
			f.Unserved = &u
		}
	}
	f.Explain = question{client: string(id), message: "discover", relay: relayOf(f.Messages), iface: interfaceOf(f.Messages)}.query()
	mac, isMAC := macOf(id)
	snapshot := s.Instance.Snapshot()
	if !isMAC || snapshot == nil {
		return f, true
	}
	for _, port := range snapshot.InterfacesWithMAC(mac) {
		if m := snapshot.Machine(port.Machine); m != nil {
			f.Objects = append(f.Objects, object{Kind: m.ID.Kind.String(), Name: m.Name, Text: "interface " + port.Name, NetBox: s.inNetBox(machinePath(m.ID))})
		}
		for _, a := range snapshot.Assigned(port.ID) {
			f.Objects = append(f.Objects, object{Kind: "IP address", Name: a.Address.String(), Text: a.Status, NetBox: s.inNetBox(fmt.Sprintf("/ipam/ip-addresses/%d/", a.ID))})
		}
	}
	for _, a := range snapshot.ReservedFor(mac) {
		f.Objects = append(f.Objects, object{Kind: "IP address", Name: a.Address.String(), Text: "reserved for it", NetBox: s.inNetBox(fmt.Sprintf("/ipam/ip-addresses/%d/", a.ID))})
	}
	return f, true
}

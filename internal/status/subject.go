package status

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page"
)

// object is something in NetBox.
type object struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Text   string `json:"text,omitempty"`
	NetBox string `json:"netbox,omitempty"`
}

// addressFacts is everything that is known of one address.
type addressFacts struct {
	Address  netip.Addr    `json:"address"`
	Made     time.Time     `json:"made"`
	Lease    *leaseView    `json:"lease"` // null: none
	For      string        `json:"for"`   // who it is for, in words
	Network  string        `json:"network,omitempty"`
	Objects  []object      `json:"objects"`  // in NetBox, that it is or belongs to
	Messages []messageView `json:"messages"` // the last ones about it
	Explain  string        `json:"explain,omitempty"`
	NetBox   string        `json:"netbox,omitempty"`
}

func (s *site) addressFacts(addr netip.Addr) addressFacts {
	now := s.Now()
	f := addressFacts{Address: addr, Made: now.UTC(), Objects: []object{}, Messages: s.feed.last(filter{addr: addr}, messagesAbout), NetBox: s.inNetBox("/ipam/ip-addresses/?q=" + addr.String())}
	if l, ok := s.leaseOf(addr); ok {
		v := newLease(&l, now)
		f.Lease = &v
		f.Explain = question{client: string(l.Shown()), message: "init-reboot", request: addr, relay: relayOf(f.Messages), iface: interfaceOf(f.Messages)}.query()
	}
	f.For = "nobody that is known"
	if f.Lease != nil && f.Lease.State == lease.PhaseRunning {
		f.For = "its client " + string(f.Lease.Client)
	}
	snapshot := s.Instance.Snapshot()
	if snapshot == nil {
		return f
	}
	if n, err := snapshot.Subnet(addr); err == nil {
		f.Network = n.Prefix.Prefix.String()
		f.Objects = append(f.Objects, object{Kind: "prefix", Name: f.Network, Text: n.Status, NetBox: s.inNetBox(fmt.Sprintf("/ipam/prefixes/%d/", n.ID))})
	}
	for _, a := range addressesIn(snapshot, addr) {
		s.tellAddress(&f, snapshot, a)
	}
	return f
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

func (s *site) addressPage(w http.ResponseWriter, r *http.Request) {
	addr, ok := parseAddr(r.PathValue("address"))
	if !ok {
		s.Fail(w, r, http.StatusBadRequest, "This is no address.")
		return
	}
	shown := struct {
		page.Frame
		addressFacts
		Keeps bool // there is a history
	}{s.Frame(addr.String(), "../"), s.addressFacts(addr), instance.HistoryFolder(s.Instance.Settings) != ""}
	shown.Query = addr.String()
	s.Render(w, http.StatusOK, "address", shown)
}

func (s *site) addressJSON(w http.ResponseWriter, r *http.Request) {
	text, ok := strings.CutSuffix(r.PathValue("file"), ".json")
	addr, isAddr := parseAddr(text)
	if !ok || !isAddr {
		s.Refuse(w, "want an address, such as /api/ip/10.8.4.33.json")
		return
	}
	s.JSON(w, http.StatusOK, s.addressFacts(addr))
}

// clientFacts is everything that is known of one client.
type clientFacts struct {
	Client   lease.ClientID     `json:"client"`
	Made     time.Time          `json:"made"`
	Leases   []leaseView        `json:"leases"`
	Objects  []object           `json:"objects"`  // in NetBox, that it is
	Unserved *instance.Unserved `json:"unserved"` // null: it was served, or not heard
	Messages []messageView      `json:"messages"` // the last ones of it
	Explain  string             `json:"explain,omitempty"`
}

func (s *site) clientFacts(id lease.ClientID) clientFacts {
	now := s.Now()
	f := clientFacts{Client: id, Made: now.UTC(), Leases: []leaseView{}, Objects: []object{}, Messages: s.feed.last(filter{client: id}, messagesAbout)}
	list := s.leaseList()
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
	mac, ok := macOf(id)
	snapshot := s.Instance.Snapshot()
	if !ok || snapshot == nil {
		return f
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
	return f
}

func (s *site) clientPage(w http.ResponseWriter, r *http.Request) {
	id, ok := clientOf(r.PathValue("client"))
	if !ok {
		s.Fail(w, r, http.StatusBadRequest, "This is no MAC address and no client identifier.")
		return
	}
	shown := struct {
		page.Frame
		clientFacts
	}{s.Frame(string(id), "../"), s.clientFacts(id)}
	shown.Query = string(id)
	s.Render(w, http.StatusOK, "client", shown)
}

func (s *site) clientJSON(w http.ResponseWriter, r *http.Request) {
	text, ok := strings.CutSuffix(r.PathValue("file"), ".json")
	id, isClient := clientOf(text)
	if !ok || !isClient {
		s.Refuse(w, "want a client, such as /api/client/52:54:00:12:34:56.json")
		return
	}
	s.JSON(w, http.StatusOK, s.clientFacts(id))
}

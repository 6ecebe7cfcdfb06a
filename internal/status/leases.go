package status

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page"
)

// leaseView is a lease as pages and JSON show it.
type leaseView struct {
	Address  netip.Addr     `json:"address"`
	Client   lease.ClientID `json:"client"`
	Hardware lease.ClientID `json:"hardware,omitempty"` // of a client that is told by its identifier
	State    lease.Phase    `json:"state"`
	Until    time.Time      `json:"until"`
	Name     string         `json:"name,omitempty"` // the client's own word
	Told     bool           `json:"in_netbox"`      // NetBox shows it
}

func newLease(l *lease.Lease, now time.Time) leaseView {
	return leaseView{Address: l.Addr, Client: l.Client, Hardware: l.Hardware, State: l.Phase(now), Until: l.Expires.UTC(), Name: l.Hostname, Told: !l.Unsynced}
}

// wanted is what a search looks for.
type wanted struct {
	text   []byte       // lower case; empty: everything
	inAddr bool         // text may be part of an IPv4 address
	digits []byte       // as part of a client; empty: it is none
	subnet netip.Prefix // invalid: the query is no network
	prefix netip.Prefix // invalid: any
	state  lease.Phase  // empty: any
}

// newWanted reads q, prefix and state. An error says what cannot be understood.
func newWanted(q url.Values) (w wanted, err error) {
	text := strings.ToLower(strings.TrimSpace(q.Get("q")))
	if len(text) > page.LongestQuery || !utf8.ValidString(text) {
		return w, errors.New("q: want text of at most 200 bytes")
	}
	w.text, w.inAddr = []byte(text), strings.Trim(text, "0123456789.") == ""
	if p, err := netip.ParsePrefix(text); err == nil {
		w.subnet = p.Masked()
	}
	if d := digits(nil, text); (len(d) == 12 || strings.Trim(text, "0123456789.") != "") && len(d) >= 4 && strings.Trim(string(d), "0123456789abcdef") == "" {
		w.digits = d
	}
	if text := strings.TrimSpace(q.Get("prefix")); text != "" {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return w, errors.New("prefix: want a network such as 10.8.4.0/24")
		}
		w.prefix = p.Masked()
	}
	w.state = lease.Phase(q.Get("state"))
	if w.state != "" && !slices.Contains(lease.Phases(), w.state) {
		return w, errors.New("state: want running, ended, quarantined or withdrawn")
	}
	return w, nil
}

// digits appends a client key in lower case without what people put between its pairs.
func digits(to []byte, id string) []byte {
	for i := range len(id) {
		switch c := id[i]; {
		case c == ':' || c == '-' || c == '.' || c == ' ':
		case 'A' <= c && c <= 'Z':
			to = append(to, c+'a'-'A')
		default:
			to = append(to, c)
		}
	}
	return to
}

// finder looks for leases with memory that it uses again: there are many of them.
type finder struct {
	wanted
	now time.Time
	buf [128]byte
}

// rank is how well a lease fits: 0 is not at all, 1 contains what is wanted, 2 is it.
func (f *finder) rank(l *lease.Lease) int {
	switch {
	case f.prefix.IsValid() && !f.prefix.Contains(l.Addr), f.state != "" && f.state != l.Phase(f.now):
		return 0
	case f.subnet.IsValid():
		if f.subnet.Contains(l.Addr) {
			return 1
		}
		return 0
	case len(f.text) == 0:
		return 1
	}
	fit := 0
	if f.inAddr || !l.Addr.Is4() {
		fit = fits(l.Addr.AppendTo(f.buf[:0]), f.text)
	}
	if fit == 0 && l.Hostname != "" {
		fit = fits(lower(f.buf[:0], l.Hostname), f.text)
	}
	if fit == 0 && len(f.digits) > 0 {
		fit = max(fits(digits(f.buf[:0], string(l.Client)), f.digits), fits(digits(f.buf[:0], string(l.Hardware)), f.digits))
	}
	return fit
}

func fits(text, want []byte) int {
	switch {
	case bytes.Equal(text, want):
		return 2
	case bytes.Contains(text, want):
		return 1
	}
	return 0
}

// lower appends s in lower case.
func lower(to []byte, s string) []byte {
	text := append(to, s...)
	for i, c := range text[len(to):] {
		if c >= utf8.RuneSelf {
			return append(to, strings.ToLower(s)...)
		}
		if 'A' <= c && c <= 'Z' {
			text[len(to)+i] = c + 'a' - 'A'
		}
	}
	return text
}

// find returns the leases that match, what was meant first, then by address.
func find(list []lease.Lease, w wanted, now time.Time) (found []*lease.Lease) {
	f := finder{wanted: w, now: now}
	exact, turn := 0, turns{}
	for i := range list {
		turn.next()
		switch f.rank(&list[i]) {
		case 1:
			found = append(found, &list[i])
		case 2:
			found = slices.Insert(found, exact, &list[i])
			exact++
		}
	}
	return found
}

const (
	leasesShown   = 100 // on one page
	defaultLeases = 100
	mostLeases    = 1000
)

type leasesShownPage struct {
	page.Frame
	Count, Known  int
	Leases        []leaseView
	From, To      int // numbers of those that are shown
	Before, After template.URL
	Prefix, State string
	Addr          netip.Addr     // the query is this address
	Client        lease.ClientID // or this client
	Export        template.URL
}

func (s *site) leasesPage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	want, err := newWanted(q)
	offset, ok := page.Number(q.Get("offset"), 0)
	if err == nil && !ok {
		err = errors.New("offset: want a number from 0")
	}
	if err != nil {
		s.Fail(w, r, http.StatusBadRequest, "The search cannot be understood: "+err.Error()+".")
		return
	}
	list, now := s.leaseList(), s.Now()
	found := find(list, want, now)
	shown := leasesShownPage{Frame: s.Frame("Leases", "./"), Count: len(found), Known: len(list), State: string(want.state)}
	shown.Query, shown.Here = q.Get("q"), "leases"
	if want.prefix.IsValid() {
		shown.Prefix = want.prefix.String()
	}
	offset = min(offset, max(len(found)-1, 0)) / leasesShown * leasesShown
	for _, l := range found[offset:min(len(found), offset+leasesShown)] {
		shown.Leases = append(shown.Leases, newLease(l, now))
	}
	shown.From, shown.To = offset+1, offset+len(shown.Leases)
	link := func(offset int) template.URL {
		v := url.Values{"q": {shown.Query}, "prefix": {shown.Prefix}, "state": {shown.State}}
		if offset >= 0 {
			v.Set("offset", strconv.Itoa(offset))
		}
		return template.URL(v.Encode()) //nolint:gosec // encoded
	}
	if shown.Export = link(-1); offset > 0 {
		shown.Before = link(offset - leasesShown)
	}
	if shown.To < len(found) {
		shown.After = link(offset + leasesShown)
	}
	if addr, ok := parseAddr(string(want.text)); ok {
		shown.Addr = addr
	} else if id, ok := clientOf(string(want.text)); ok {
		shown.Client = id
	}
	s.Render(w, http.StatusOK, "leases", shown)
}

type leaseList struct {
	Count   int         `json:"count"` // of all that match
	Offset  int         `json:"offset"`
	Results []leaseView `json:"results"`
}

// leasesJSON answers q, prefix, state, limit and offset.
func (s *site) leasesJSON(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	want, err := newWanted(q)
	limit, okLimit := page.Number(q.Get("limit"), defaultLeases)
	offset, okOffset := page.Number(q.Get("offset"), 0)
	if err == nil && (!okLimit || !okOffset || limit < 1 || limit > mostLeases) {
		err = fmt.Errorf("want limit 1 to %d and offset from 0", mostLeases)
	}
	if err != nil {
		s.Refuse(w, err.Error())
		return
	}
	now := s.Now()
	found := find(s.leaseList(), want, now)
	answer := leaseList{Count: len(found), Offset: offset, Results: []leaseView{}}
	for i := offset; i < len(found) && i-offset < limit; i++ {
		answer.Results = append(answer.Results, newLease(found[i], now))
	}
	s.JSON(w, http.StatusOK, answer)
}

// leasesCSV gives all leases that match q, prefix and state, for a spreadsheet.
func (s *site) leasesCSV(w http.ResponseWriter, r *http.Request) {
	want, err := newWanted(r.URL.Query())
	if err != nil {
		s.Refuse(w, err.Error())
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="leases.csv"`)
	out, now := csv.NewWriter(w), s.Now()
	_ = out.Write([]string{"address", "client", "hardware", "state", "until", "name", "in_netbox"})
	for _, l := range find(s.leaseList(), want, now) {
		v := newLease(l, now)
		_ = out.Write([]string{v.Address.String(), page.Cell(string(v.Client)), page.Cell(string(v.Hardware)), string(v.State), page.ISO(v.Until), page.Cell(v.Name), strconv.FormatBool(v.Told)})
	}
	out.Flush() // the client may be gone
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

package status

import (
	"bytes"
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

package status

import (
	"cmp"
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// lease is what is remembered of one address.
type lease struct {
	plan.Place
	plan.LeaseInfo

	name, text, digits string // host name, address, client id as they are searched
}

// leaseIndex keeps the leases in order, and reads them again once a run wrote
// new ones. Those are thousands, too many to parse at each request.
type leaseIndex struct {
	mu      sync.Mutex
	written time.Time
	list    []lease
}

// all returns the leases by VRF and address. The caller must not change them.
func (x *leaseIndex) all(m *mirror.Mirror) ([]lease, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	written, err := m.MemoryTime()
	if err != nil {
		return nil, err
	}
	if written.Equal(x.written) {
		return x.list, nil
	}
	memory, err := m.Memory()
	if err != nil {
		return nil, err
	}
	list := make([]lease, 0, len(memory.Leases))
	for place, info := range memory.Leases {
		list = append(list, lease{
			Place: place, LeaseInfo: info,
			name: strings.ToLower(info.Hostname), text: place.Addr.String(), digits: digits(string(info.ClientID)),
		})
	}
	slices.SortFunc(list, func(a, b lease) int { return a.Compare(b.Place) })
	x.list, x.written = list, written
	return list, nil
}

// digits is a client id without what people put between its pairs.
func digits(id string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(":-. ", r) {
			return -1
		}
		return unicode.ToLower(r)
	}, id)
}

// wanted is what a search looks for.
type wanted struct {
	text   string       // lower case; empty: everything
	digits string       // as part of a client id; empty: it is none
	subnet netip.Prefix // invalid: the query is no network
	scope  netip.Prefix // invalid: any
	state  string       // "active" or "ended"; empty: either
	server string       // lower case; empty: any
}

// The states that a lease may be asked for by.
const (
	stateActive = "active"
	stateEnded  = "ended"
)

// filter adds the other parameters of a search: scope, state and server. An error
// says in words what cannot be understood.
func (w *wanted) filter(q url.Values) error {
	if text := strings.TrimSpace(q.Get("scope")); text != "" {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return errors.New("scope: want a network such as 10.8.4.0/24")
		}
		w.scope = p.Masked()
	}
	switch w.state = q.Get("state"); w.state {
	case "", stateActive, stateEnded:
	default:
		return errors.New("state: want active or ended")
	}
	if w.server = strings.ToLower(strings.TrimSpace(q.Get("server"))); len(w.server) > page.LongestQuery {
		return errors.New("server: want the name of a server")
	}
	return nil
}

// any reports whether everything is wanted.
func (w wanted) any() bool {
	return w.text == "" && !w.scope.IsValid() && w.state == "" && w.server == ""
}

// newWanted reads a query: part of a host name, an address or a client id in
// any of its forms, or a whole network. False: it is too long or no text.
func newWanted(query string) (wanted, bool) {
	if len(query) > page.LongestQuery || !utf8.ValidString(query) {
		return wanted{}, false
	}
	query = strings.ToLower(strings.TrimSpace(query))
	w := wanted{text: query}
	if p, err := netip.ParsePrefix(query); err == nil {
		w.subnet = p.Masked()
	}
	number := strings.Trim(query, "0123456789.") == "" // more likely of an address
	if d := digits(query); !number && len(d) >= 4 && strings.Trim(d, "0123456789abcdef") == "" {
		w.digits = d
	}
	return w, true
}

func (w wanted) matches(l *lease) bool {
	switch {
	case w.scope.IsValid() && !w.scope.Contains(l.Addr), w.state != "" && (w.state == stateActive) != l.Active, w.server != "" && strings.ToLower(l.Server) != w.server:
		return false
	case w.subnet.IsValid():
		return w.subnet.Contains(l.Addr)
	}
	return w.text == "" || strings.Contains(l.name, w.text) || strings.Contains(l.text, w.text) ||
		w.digits != "" && strings.Contains(l.digits, w.digits)
}

// exact ranks what was meant before what only contains it.
func (w wanted) exact(l *lease) int {
	first, _, _ := strings.Cut(l.name, ".")
	switch {
	case w.text == "":
	case l.text == w.text, l.name == w.text:
		return -2
	case first == w.text, w.digits != "" && l.digits == w.digits:
		return -1
	}
	return 0
}

// find returns the leases that match, what was meant first, then by address.
func find(list []lease, w wanted) []lease {
	var found []lease
	for i := range list {
		if w.matches(&list[i]) {
			found = append(found, list[i])
		}
	}
	slices.SortStableFunc(found, func(a, b lease) int {
		return cmp.Or(cmp.Compare(w.exact(&a), w.exact(&b)), a.Compare(b.Place))
	})
	return found
}

package status

import (
	"encoding/hex"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page"
)

// Explanation is what the explain command says about a message.
type Explanation struct {
	// Answer is what explain --json prints.
	Answer any

	Message, Verdict, Rule, Reason, Client, Network, Address string

	Why     []lease.Step
	Circuit []Named // how option 82 was read
	Reply   []Named
	Options []Named // and where each comes from
	RestsOn []string
}

// Named is a value with its name.
type Named struct{ Name, Value string }

// mostExplaining is how many explanations are looked for at once.
const mostExplaining = 2

// question is a form of the explain page that is filled in already.
type question struct {
	client  string
	message string
	relay   netip.Addr
	iface   string
	request netip.Addr // option 50
	current netip.Addr // ciaddr
	server  netip.Addr // option 54
	link    netip.Addr // option 82 sub-option 5
	circuit string     // option 82 sub-option 1; untrusted bytes
	remote  string     // option 82 sub-option 2; untrusted bytes
}

// query is the question as a query; empty where the client has no MAC to ask about.
func (q question) query() string {
	mac, ok := macOf(lease.ClientID(q.client))
	if !ok {
		return ""
	}
	v := url.Values{"mac": {mac.String()}, "message": {q.message}}
	for name, addr := range map[string]netip.Addr{"relay": q.relay, "request": q.request, "current": q.current} {
		if addr.IsValid() {
			v.Set(name, addr.String())
		}
	}
	if q.server.IsValid() {
		v.Set("option", "54="+q.server.String())
	}
	if q.link.IsValid() {
		v.Set("sub_option", "5="+q.link.String())
	}
	for name, bytes := range map[string]string{"circuit_id": q.circuit, "remote_id": q.remote} {
		if bytes != "" {
			v.Set(name, "hex:"+hex.EncodeToString([]byte(bytes)))
		}
	}
	if !q.relay.IsValid() && q.iface != "" {
		v.Set("interface", q.iface)
	}
	return v.Encode()
}

// questionOf asks about a message that was decided about.
func questionOf(m *instance.Seen) question {
	q := question{client: string(m.Client), message: "discover", relay: m.Relay, iface: m.Interface, link: m.Link, circuit: m.Circuit, remote: m.Remote}
	if m.Hardware != "" {
		q.client = string(m.Hardware)
	}
	switch m.Type {
	case lease.Request:
		switch m.State {
		case lease.InitReboot:
			q.message, q.request = "init-reboot", m.Addr
		case lease.Renewing:
			q.message, q.current = "rebind", m.Addr
		case lease.Selecting, lease.NoState:
			q.message, q.request, q.server = "request", m.Addr, m.Server
		}
		if !m.Addr.IsValid() {
			q.message = "discover"
		}
	case lease.Inform:
		q.message, q.current = "inform", m.Addr
	case lease.Release:
		q.message, q.current = "release", m.Addr
	case lease.Decline:
		q.message, q.request = "decline", m.Addr
	case lease.Discover, lease.BOOTP:
	}
	return q
}

func relayOf(list []messageView) netip.Addr {
	if len(list) == 0 {
		return netip.Addr{}
	}
	return list[0].Relay
}

func interfaceOf(list []messageView) string {
	if len(list) == 0 {
		return ""
	}
	return list[0].Interface
}

// clientOf reads a client key: a hardware address, or a client identifier, in any of the
// forms that people write it in. False: it is none.
func clientOf(text string) (lease.ClientID, bool) {
	text = strings.ToUpper(strings.TrimSpace(text))
	bare, isID := strings.CutPrefix(text, strings.ToUpper(lease.IdentifierPrefix))
	pairs := strings.ToUpper(string(digits(nil, bare)))
	if len(pairs) < 12 && !isID || len(pairs)%2 != 0 || len(pairs) == 0 || len(pairs) > 2*255 || strings.Trim(pairs, "0123456789ABCDEF") != "" {
		return "", false
	}
	var b strings.Builder
	if isID {
		b.WriteString(lease.IdentifierPrefix)
	}
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(pairs[i : i+2])
	}
	return lease.ClientID(b.String()), true
}

// macOf is the MAC address of a client key; false: it is none.
func macOf(id lease.ClientID) (ipam.MAC, bool) {
	mac, err := ipam.ParseMAC(string(id))
	return mac, err == nil && len(id) == len("52:54:00:12:34:56")
}

// clientPath is the page of a client, from the first one.
func clientPath(id any) string {
	text := ""
	switch id := id.(type) {
	case lease.ClientID:
		text = string(id)
	case string:
		text = id
	}
	return "client/" + url.PathEscape(text)
}

// explainPage is the form, and the answer where it is filled in.
type explainPage struct {
	page.Frame
	Asked   url.Values
	Kinds   []string
	Trouble string
	*Explanation
	Mood  page.Mood
	Words string // the reason
}

// errCrowded says that too many ask at once.
var errCrowded = errors.New("others are asking right now: try again")

// explained answers a form; the error is errCrowded, or says what is wrong with it.
func (s *site) explained(form url.Values) (*Explanation, error) {
	select {
	case s.explaining <- struct{}{}:
	default:
		return nil, errCrowded
	}
	defer func() { <-s.explaining }()
	return s.config.Explain(form)
}

func (s *site) explainPage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	shown := explainPage{Frame: s.Frame("Explain", "./"), Asked: q, Kinds: []string{"discover", "request", "init-reboot", "renew", "rebind", "inform", "release", "decline"}}
	shown.Here = "explain"
	if len(q) > 0 {
		e, err := s.explained(q)
		switch {
		case errors.Is(err, errCrowded):
			s.Fail(w, r, http.StatusServiceUnavailable, "Others are asking right now: try again.")
			return
		case err != nil:
			shown.Trouble = err.Error()
		default:
			shown.Explanation = e
			shown.Mood, shown.Words = page.Good, words(lease.Reason(e.Reason))
			if e.Verdict == lease.Silent.String() || e.Verdict == lease.Nak.String() { //nolint:goconst // words
				shown.Mood = page.Drift
			}
		}
	}
	s.Render(w, http.StatusOK, "explain", shown)
}

func (s *site) explainJSON(w http.ResponseWriter, r *http.Request) {
	e, err := s.explained(r.URL.Query())
	switch {
	case errors.Is(err, errCrowded):
		s.JSON(w, http.StatusServiceUnavailable, page.Trouble{Error: err.Error()})
	case err != nil:
		s.Refuse(w, err.Error())
	default:
		s.JSON(w, http.StatusOK, e.Answer)
	}
}

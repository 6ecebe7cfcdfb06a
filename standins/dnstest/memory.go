package dnstest

import (
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Memory is a DNS server in memory that knows queries and updates (RFC 2136) with TSIG.
type Memory struct {
	*Server

	mu      sync.Mutex
	refuse  func(name string) bool
	onlyTCP bool
	names   map[string][]dns.RR
	updates int // that were asked for
}

// New starts a server in memory that ends with the test.
func New(t testing.TB, zones ...string) *Memory {
	t.Helper()
	m := &Memory{Server: newServer(free(t), zones), names: make(map[string][]dns.RR), refuse: func(string) bool { return false }}
	for _, zone := range zones {
		soa, err := dns.NewRR(dns.Fqdn(zone) + " 3600 IN SOA ns.example.org. hostmaster.example.org. 1 3600 600 86400 300")
		if err != nil {
			t.Fatal(err)
		}
		m.names[dns.Fqdn(zone)] = []dns.RR{soa}
	}
	m.start = func() func() { return m.listen(t) }
	m.Start()
	t.Cleanup(m.Stop)
	return m
}

func (m *Memory) listen(t testing.TB) (stop func()) {
	t.Helper()
	packets, err := net.ListenPacket("udp4", m.Addr.String())
	if err != nil {
		t.Fatal(err)
	}
	connections, err := net.Listen("tcp4", m.Addr.String())
	if err != nil {
		t.Fatal(err)
	}
	accept := func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept }
	secrets := map[string]string{m.Key: m.Secret}
	servers := []*dns.Server{
		{PacketConn: packets, Handler: m, TsigSecret: secrets, MsgAcceptFunc: accept},
		{Listener: connections, Handler: m, TsigSecret: secrets, MsgAcceptFunc: accept},
	}
	var running, started sync.WaitGroup
	for _, s := range servers {
		started.Add(1)
		s.NotifyStartedFunc = started.Done
		running.Go(func() { _ = s.ActivateAndServe() }) // ends with Shutdown
	}
	started.Wait()
	return func() {
		for _, s := range servers {
			_ = s.Shutdown()
		}
		running.Wait()
	}
}

// Updates is how many updates were asked for so far.
func (m *Memory) Updates() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.updates
}

// Refuse says from now on which names updates of are refused.
func (m *Memory) Refuse(which func(name string) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = which
}

// LoseUDP loses what comes by UDP from now on.
func (m *Memory) LoseUDP() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.onlyTCP = true
}

// ServeDNS implements dns.Handler.
func (m *Memory) ServeDNS(w dns.ResponseWriter, r *dns.Msg) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.onlyTCP && w.RemoteAddr().Network() == "udp" {
		return
	}
	answer := new(dns.Msg)
	if r.Opcode != dns.OpcodeUpdate {
		answer.SetReply(r)
		answer.Authoritative = true
		m.answer(answer, r.Question[0])
		_ = w.WriteMsg(answer)
		return
	}
	m.updates++
	signature := r.IsTsig()
	if signature == nil {
		answer.SetRcode(r, dns.RcodeRefused)
		_ = w.WriteMsg(answer)
		return
	}
	status := w.TsigStatus()
	if status == nil {
		answer.SetRcode(r, m.update(r))
	} else {
		answer.SetRcode(r, dns.RcodeNotAuth)
	}
	answer.SetTsig(signature.Hdr.Name, signature.Algorithm, 300, time.Now().Unix())
	if own := answer.IsTsig(); status != nil {
		switch {
		case errors.Is(status, dns.ErrTime):
			own.Error, own.TimeSigned = dns.RcodeBadTime, signature.TimeSigned
		case signature.Hdr.Name != m.Key:
			own.Error = dns.RcodeBadKey
		default:
			own.Error = dns.RcodeBadSig
		}
	}
	_ = w.WriteMsg(answer)
}

func (m *Memory) answer(answer *dns.Msg, q dns.Question) {
	records := m.names[dns.CanonicalName(q.Name)]
	if len(records) == 0 {
		answer.Rcode = dns.RcodeNameError
	}
	for _, r := range records {
		if r.Header().Rrtype == q.Qtype {
			answer.Answer = append(answer.Answer, r)
		}
	}
}

// update does RFC 2136 section 3: prerequisites, then all changes or none.
func (m *Memory) update(r *dns.Msg) int {
	zone := dns.CanonicalName(r.Question[0].Name)
	if _, known := m.names[zone]; !known || len(r.Question) != 1 {
		return dns.RcodeNotAuth
	}
	for _, p := range append(slices.Clone(r.Answer), r.Ns...) {
		if !dns.IsSubDomain(zone, p.Header().Name) {
			return dns.RcodeNotZone
		}
	}
	if rcode := m.holds(r.Answer); rcode != dns.RcodeSuccess {
		return rcode
	}
	for _, change := range r.Ns {
		if m.refuse(dns.CanonicalName(change.Header().Name)) {
			return dns.RcodeRefused
		}
	}
	for _, change := range r.Ns {
		m.apply(change)
	}
	return dns.RcodeSuccess
}

// holds checks prerequisites (RFC 2136 section 3.2).
func (m *Memory) holds(prerequisites []dns.RR) int {
	wanted := make(map[dns.Question][]dns.RR)
	for _, p := range prerequisites {
		h := p.Header()
		name := dns.CanonicalName(h.Name)
		has := m.set(name, h.Rrtype)
		switch {
		case h.Class == dns.ClassANY && h.Rrtype == dns.TypeANY && len(m.names[name]) == 0:
			return dns.RcodeNameError
		case h.Class == dns.ClassANY && h.Rrtype != dns.TypeANY && len(has) == 0:
			return dns.RcodeNXRrset
		case h.Class == dns.ClassNONE && h.Rrtype == dns.TypeANY && len(m.names[name]) > 0:
			return dns.RcodeYXDomain
		case h.Class == dns.ClassNONE && h.Rrtype != dns.TypeANY && len(has) > 0:
			return dns.RcodeYXRrset
		case h.Class == dns.ClassINET:
			key := dns.Question{Name: name, Qtype: h.Rrtype}
			wanted[key] = append(wanted[key], p)
		}
	}
	for key, records := range wanted {
		has := m.set(key.Name, key.Qtype)
		if len(has) != len(records) || slices.ContainsFunc(records, func(r dns.RR) bool { return !contains(has, r) }) {
			return dns.RcodeNXRrset
		}
	}
	return dns.RcodeSuccess
}

// apply makes one change (RFC 2136 section 3.4.2).
func (m *Memory) apply(change dns.RR) {
	h := change.Header()
	name := dns.CanonicalName(h.Name)
	gone := func(r dns.RR) bool { return false }
	switch h.Class {
	case dns.ClassANY:
		gone = func(r dns.RR) bool { return h.Rrtype == dns.TypeANY || r.Header().Rrtype == h.Rrtype }
	case dns.ClassNONE:
		gone = func(r dns.RR) bool { return sameData(r, change) }
	}
	rest := slices.DeleteFunc(slices.Clone(m.names[name]), gone)
	if h.Class == dns.ClassINET && !contains(rest, change) {
		rest = append(rest, change)
	}
	if len(rest) == 0 {
		delete(m.names, name)
		return
	}
	m.names[name] = rest
}

func (m *Memory) set(name string, kind uint16) (records []dns.RR) {
	for _, r := range m.names[name] {
		if r.Header().Rrtype == kind {
			records = append(records, r)
		}
	}
	return records
}

func contains(records []dns.RR, one dns.RR) bool {
	return slices.ContainsFunc(records, func(r dns.RR) bool { return sameData(r, one) })
}

// sameData compares type and data, not class and time to live.
func sameData(a, b dns.RR) bool {
	other := dns.Copy(b)
	other.Header().Class, other.Header().Ttl = a.Header().Class, a.Header().Ttl
	return a.Header().Rrtype == b.Header().Rrtype && dns.IsDuplicate(a, other)
}

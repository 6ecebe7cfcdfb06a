package ddns

import (
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/dnstest"
)

func onStandIn(t *testing.T) (*world, *dnstest.Memory) {
	server := dnstest.New(t, zones()...)
	return on(t, server.Server), server
}

// DNS-19: leases that the feed did not tell of get their names, and names of leases that
// have ended meanwhile go.
func TestWhatTheFeedLostIsMadeUpForByLeases(t *testing.T) {
	w, _ := onStandIn(t)
	known := w.run().grant(pc, "10.0.0.7", "pc")
	w.eventually(pcName, dns.TypeA, "10.0.0.7")
	w.stored(Client{Addr: netip.MustParseAddr("10.0.0.8"), Client: other, Hostname: "unheard", Until: time.Now().Add(time.Hour)})
	w.set(func() {
		w.leases[known.Addr] = lease.Lease{Addr: known.Addr, Client: pc, State: lease.Released}
		w.lost++
	})
	w.service.Look()
	w.eventually("unheard.dhcp.example.org", dns.TypeA, "10.0.0.8")
	w.eventually(pcName, dns.TypeA)
}

// DNS-19: a static address keeps its name where its renewal may have been lost.
func TestAStaticNameOutlivesALossOfMessages(t *testing.T) {
	w, _ := onStandIn(t)
	c := Client{Addr: netip.MustParseAddr("10.0.0.7"), Client: pc, Hostname: "pc", Time: time.Hour, Static: true, Until: time.Now().Add(-time.Second)}
	w.run().service.Granted(c)
	w.eventually(pcName, dns.TypeA, "10.0.0.7")
	w.set(func() { w.lost++ })
	w.service.Look()
	w.settled()
	w.eventually(pcName, dns.TypeA, "10.0.0.7")
}

// DNS-13: while there is no lease store, or the clock is not trusted, time ends no name
// (S-14, S-15, H-5); a RELEASE does.
func TestTimeEndsNoNameWhileTheClockIsNotTrusted(t *testing.T) {
	w, server := onStandIn(t)
	w.run()
	for i, client := range []lease.ClientID{pc, other} {
		w.service.Granted(Client{Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(7 + i)}), Client: client, Hostname: "pc" + string(rune('a'+i)), Time: time.Hour, Until: time.Now().Add(-time.Minute)})
	}
	w.eventually("7.0.0.10.in-addr.arpa", dns.TypePTR, "pca.dhcp.example.org.")
	w.eventually("8.0.0.10.in-addr.arpa", dns.TypePTR, "pcb.dhcp.example.org.")
	w.settled()
	w.set(func() { w.unsure = true })
	before := server.Updates()
	w.service.Look()
	w.settled()
	if n := server.Updates() - before; n != 0 {
		t.Errorf("%d updates", n)
	}
	w.service.Ended(netip.MustParseAddr("10.0.0.8"), other)
	w.eventually("pcb.dhcp.example.org", dns.TypeA)
	w.eventually("pca.dhcp.example.org", dns.TypeA, "10.0.0.7")
	w.set(func() { w.unsure = false })
	w.service.Look()
	w.eventually("pca.dhcp.example.org", dns.TypeA)
}

// DNS-14: an update that is refused holds no other up.
func TestARefusedNameHoldsNoOtherUp(t *testing.T) {
	w, server := onStandIn(t)
	server.Refuse(func(name string) bool { return name == "secret.dhcp.example.org." })
	w.run()
	for i := range 50 {
		w.grant(lease.ClientID("52:54:00:00:02:"+string("0123456789ABCDEF"[i/16])+string("0123456789ABCDEF"[i%16])), netip.AddrFrom4([4]byte{10, 0, 2, byte(i)}).String(), map[bool]string{true: "secret", false: "h" + string(rune('a'+i%26)) + string(rune('a'+i/26))}[i == 0])
	}
	w.eventually("49.2.0.10.in-addr.arpa", dns.TypePTR, "hxb.dhcp.example.org.")
	w.state("secret.dhcp.example.org", "refused")
	if n := w.updates()[Rejected]; n != 1 {
		t.Errorf("%d refusals, want one", n)
	}
	if found := w.service.Findings(); len(found) != 1 || found[0].Object != "secret.dhcp.example.org" || found[0].Fix == "" {
		t.Errorf("DNS-20: findings %+v", found)
	}
}

// DNS-15: where nothing answers by UDP, the same update goes by TCP, signed anew.
func TestUpdatesGoByTCPWhereUDPIsLost(t *testing.T) {
	w, server := onStandIn(t)
	server.LoseUDP()
	c := w.run().grant(pc, "10.0.0.7", "pc")
	w.eventually(reverse, dns.TypePTR, pcName+".")
	w.release(c)
	w.gone()
	if n := w.updates(); n[Rejected]+n[Failed] > 0 {
		t.Errorf("updates: %v", n)
	}
	if problems := CheckZone(t.Context(), w.settings()[0]); len(problems) > 0 {
		t.Errorf("%v", problems)
	}
}

// DNS-12: a crash between the disk and DNS, at each moment, leaves nothing behind.
func TestWhatWasSentIsRemovedAfterACrashAtAnyMoment(t *testing.T) {
	w, server := onStandIn(t)
	w.run().grant(pc, "10.0.0.7", "pc")
	w.eventually(reverse, dns.TypePTR, pcName+".")
	w.settled()
	w.end()
	whole := w.path
	for moment := range 6 {
		copyFile(t, whole, w.path+"x")
		bindings, _, err := ReadFile(w.path + "x")
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range bindings { // as if the answer had not come, or not been written
			if moment&1 != 0 {
				b.Forward.State = Sent
			}
			if moment&2 != 0 {
				b.Reverse.State = Sent
			}
			if moment&4 != 0 {
				b.Forward.State, b.Reverse.State = Sent, Waiting
			}
			r := registry{bindings: bindings}
			j := journal{path: w.path + "x"}
			if err := j.renew(r.lines(map[netip.Addr]bool{b.Addr: true})); err != nil {
				t.Fatal(err)
			}
		}
		w.path += "x"
		w.run()
		w.settled()
		w.eventually(pcName, dns.TypeA, "10.0.0.7")
		w.eventually(reverse, dns.TypePTR, pcName+".")
		w.release(Client{Addr: netip.MustParseAddr("10.0.0.7"), Client: pc})
		w.gone()
		w.grant(pc, "10.0.0.7", "pc")
		w.eventually(reverse, dns.TypePTR, pcName+".")
		w.settled()
		w.end()
	}
	if server.Updates() == 0 {
		t.Error("no update was seen")
	}
}

// DNS-8: whoever asks for no update loses the name that it had.
func TestAClientThatAsksForNoUpdateLosesItsName(t *testing.T) {
	w, _ := onStandIn(t)
	c := w.run().grant(pc, "10.0.0.7", "pc")
	w.eventually(reverse, dns.TypePTR, pcName+".")
	c.Wish = lease.NameNoUpdate
	w.service.Granted(c)
	w.eventually(pcName, dns.TypeA)
	w.eventually(reverse, dns.TypePTR)
	w.set(func() { w.lost++ })
	w.service.Look() // its lease is no reason to name it
	w.settled()
	w.eventually(pcName, dns.TypeA)
}

// DNS-15: an answer that is not signed proves nothing.
func TestAnUnsignedAnswerProvesNothing(t *testing.T) {
	s := sender{zone: &zone{Zone: Zone{Name: forwardZone, Key: Key{Name: "k"}}, name: forwardZone + "."}}
	for _, rcode := range []int{dns.RcodeSuccess, dns.RcodeYXDomain, dns.RcodeNXRrset} {
		answer := new(dns.Msg)
		answer.Rcode = rcode
		if trouble := s.judge(answer, nil); trouble == nil || trouble.outcome != Failed || trouble.Fix == "" {
			t.Errorf("%s: %v", dns.RcodeToString[rcode], trouble)
		}
	}
	for rcode, want := range map[int]Outcome{dns.RcodeRefused: Rejected, dns.RcodeNotZone: Rejected, dns.RcodeNotAuth: Failed, dns.RcodeServerFailure: Failed, dns.RcodeNotImplemented: Failed, dns.RcodeFormatError: Rejected} {
		answer := new(dns.Msg)
		answer.Rcode = rcode
		if trouble := s.judge(answer, nil); trouble == nil || trouble.outcome != want || trouble.Fix == "" {
			t.Errorf("%s: %+v, want %s", dns.RcodeToString[rcode], trouble, want)
		}
	}
}

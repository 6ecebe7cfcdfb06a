//go:build linux

package netns_test

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// responder is the smallest server the clients accept: one address for all.
type responder struct {
	addr    netip.Prefix // given to every client
	self    netip.Addr   // option 54
	options []dhcpv4.Modifier

	mu       sync.Mutex
	refuse   bool
	received []*dhcpv4.DHCPv4
	arrived  chan struct{} // closed and replaced at each packet
}

// listen answers on one interface of ns until the test ends.
func (r *responder) listen(t *testing.T, ns *netns.Namespace, ifname string) {
	t.Helper()
	r.arrived = make(chan struct{})
	var conn *net.UDPConn
	err := ns.Do(func() (err error) {
		conn, err = server4.NewIPv4UDPConn(ifname, &net.UDPAddr{Port: dhcpv4.ServerPort})
		return err
	})
	if err != nil {
		t.Fatalf("listen on %s: %v", ifname, err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, _, err := conn.ReadFromUDP(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				t.Errorf("receive: %v", err)
				return
			}
			req, err := dhcpv4.FromBytes(buf[:n])
			if err != nil {
				t.Errorf("parse request: %v", err)
				continue
			}
			if resp := r.answer(t, req); resp != nil {
				if _, err := conn.WriteToUDP(resp.ToBytes(), destination(req)); err != nil {
					t.Errorf("send reply: %v", err)
				}
			}
		}
	})
	t.Cleanup(func() {
		conn.Close()
		work.Wait()
	})
}

func destination(req *dhcpv4.DHCPv4) *net.UDPAddr {
	switch {
	case !req.GatewayIPAddr.IsUnspecified():
		return &net.UDPAddr{IP: req.GatewayIPAddr, Port: dhcpv4.ServerPort}
	case !req.ClientIPAddr.IsUnspecified():
		return &net.UDPAddr{IP: req.ClientIPAddr, Port: dhcpv4.ClientPort}
	}
	return &net.UDPAddr{IP: net.IPv4bcast, Port: dhcpv4.ClientPort}
}

func (r *responder) answer(t *testing.T, req *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.received = append(r.received, req)
	close(r.arrived)
	r.arrived = make(chan struct{})

	kind, found := map[dhcpv4.MessageType]dhcpv4.MessageType{
		dhcpv4.MessageTypeDiscover: dhcpv4.MessageTypeOffer,
		dhcpv4.MessageTypeRequest:  dhcpv4.MessageTypeAck,
	}[req.MessageType()]
	if !found {
		return nil
	}
	modifiers := []dhcpv4.Modifier{
		dhcpv4.WithMessageType(kind),
		dhcpv4.WithServerIP(nil),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(r.self.AsSlice())),
		dhcpv4.WithYourIP(r.addr.Addr().AsSlice()),
		dhcpv4.WithNetmask(net.CIDRMask(r.addr.Bits(), 32)),
		dhcpv4.WithLeaseTime(3600),
	}
	if r.refuse && kind == dhcpv4.MessageTypeAck {
		modifiers = []dhcpv4.Modifier{
			dhcpv4.WithMessageType(dhcpv4.MessageTypeNak),
			dhcpv4.WithOption(dhcpv4.OptServerIdentifier(r.self.AsSlice())),
		}
	} else {
		modifiers = append(modifiers, r.options...)
	}
	resp, err := dhcpv4.NewReplyFromRequest(req, modifiers...)
	if err != nil {
		t.Errorf("make reply: %v", err)
		return nil
	}
	return resp
}

func (r *responder) setRefuse(refuse bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = refuse
}

// seen is the number of packets received so far.
func (r *responder) seen() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.received)
}

// wait returns the first packet of the kind received after the first skip packets.
func (r *responder) wait(t *testing.T, skip int, kind dhcpv4.MessageType) *dhcpv4.DHCPv4 {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		r.mu.Lock()
		arrived, packets := r.arrived, r.received[skip:]
		r.mu.Unlock()
		for _, packet := range packets {
			if packet.MessageType() == kind {
				return packet
			}
		}
		select {
		case <-arrived:
		case <-timeout:
			t.Fatalf("no %v within 20 s; got %v", kind, packets)
		}
	}
}

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Offsets in a DHCP message (RFC 2131 section 2).
const (
	atXID     = 4
	atYiaddr  = 16
	atChaddr  = 28
	atOptions = 240
)

// maxLoss is the share of exchanges that may fail at an accepted rate.
const maxLoss = 0.01

// settle is how long answers may take after the last exchange was started.
const settle = 300 * time.Millisecond

// load speaks as one relay for many clients. Messages are made once and only
// patched, so that the load costs little beside the server.
type load struct {
	conn     *net.UDPConn
	clients  int
	discover []byte
	request  []byte
	atWish   int // of the value of option 50 in request
	atServer int // of the value of option 54 in request

	mu    sync.Mutex
	shots *shots
	next  uint32
}

// shots are the exchanges of one measurement.
type shots struct {
	first   uint32 // transaction id of the first
	started []time.Time
	took    []time.Duration // 0: not finished
	done    int
}

func newLoad(addr string, clients int) (*load, error) {
	server, err := net.ResolveUDPAddr("udp4", addr)
	if err != nil {
		return nil, err
	}
	conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)}, server)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(conn.SetReadBuffer(8<<20), conn.SetWriteBuffer(8<<20)); err != nil {
		return nil, err
	}
	l := &load{conn: conn, clients: clients, shots: &shots{}}
	if err := l.makeMessages(); err != nil {
		return nil, err
	}
	go l.receive()
	return l, nil
}

func (l *load) close() { _ = l.conn.Close() }

func (l *load) makeMessages() error {
	relay := []dhcpv4.Modifier{
		dhcpv4.WithGatewayIP(net.IPv4(127, 0, 0, 2)),
		dhcpv4.WithOption(dhcpv4.OptRelayAgentInfo(
			dhcpv4.OptGeneric(dhcpv4.LinkSelectionSubOption, net.IPv4(10, 77, 0, 1).To4()),
			dhcpv4.OptGeneric(dhcpv4.RelaySourcePortSubOption, nil))),
		dhcpv4.WithRequestedOptions(dhcpv4.OptionSubnetMask, dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer),
	}
	mac := net.HardwareAddr{0x52, 0x54, 0, 0, 0, 0}
	discover, err := dhcpv4.NewDiscovery(mac, relay...)
	if err != nil {
		return err
	}
	request, err := dhcpv4.New(append(relay, dhcpv4.WithHwAddr(mac), dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest),
		dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.IPv4(1, 2, 3, 4))),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(1, 2, 3, 4))))...)
	if err != nil {
		return err
	}
	l.discover, l.request = discover.ToBytes(), request.ToBytes()
	l.atWish = optionAt(l.request, 50)
	l.atServer = optionAt(l.request, 54)
	if l.atWish < 0 || l.atServer < 0 {
		return errors.New("request template lacks an option")
	}
	return nil
}

// optionAt returns where the value of an option starts, or -1.
func optionAt(m []byte, code byte) int {
	for i := atOptions; i+1 < len(m) && m[i] != 255; i += 2 + int(m[i+1]) {
		if m[i] == code {
			return i + 2
		}
	}
	return -1
}

// address patches transaction id and client into a message.
func (l *load) address(m []byte, xid uint32) {
	binary.BigEndian.PutUint32(m[atXID:], xid)
	client := xid % uint32(l.clients)
	binary.BigEndian.PutUint32(m[atChaddr+2:], client)
}

// receive answers offers and counts acknowledgements until the socket closes.
func (l *load) receive() {
	buf := make([]byte, 1500)
	request := slices.Clone(l.request)
	for {
		n, err := l.conn.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || n < atOptions {
			continue // a refused port while the server starts
		}
		xid := binary.BigEndian.Uint32(buf[atXID:])
		kind, server := optionAt(buf[:n], 53), optionAt(buf[:n], 54)
		if kind < 0 || server < 0 {
			continue
		}
		switch dhcpv4.MessageType(buf[kind]) {
		case dhcpv4.MessageTypeOffer:
			l.address(request, xid)
			copy(request[l.atWish:], buf[atYiaddr:atYiaddr+4])
			copy(request[l.atServer:], buf[server:server+4])
			_, _ = l.conn.Write(request) // a lost message counts as lost
		case dhcpv4.MessageTypeAck:
			l.finish(xid)
		}
	}
}

func (l *load) finish(xid uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := int(xid - l.shots.first)
	if i < 0 || i >= len(l.shots.started) || l.shots.took[i] != 0 {
		return
	}
	l.shots.took[i] = max(1, time.Since(l.shots.started[i]))
	l.shots.done++
}

// shoot starts exchanges at a steady rate for a time, answered or not.
func (l *load) shoot(ctx context.Context, rate float64, window time.Duration) (*shots, error) {
	count := int(rate * window.Seconds())
	s := &shots{first: l.next, started: make([]time.Time, 0, count), took: make([]time.Duration, count)}
	l.mu.Lock()
	l.shots = s
	l.mu.Unlock()
	begin := time.Now()
	const burst = 8
	for sent := 0; sent < count; {
		due := min(count, int(time.Since(begin).Seconds()*rate))
		if due-sent < burst && due < count {
			time.Sleep(50 * time.Microsecond) // pace of the open loop
			continue
		}
		for ; sent < due; sent++ {
			l.mu.Lock()
			s.started = append(s.started, time.Now())
			l.mu.Unlock()
			l.address(l.discover, l.next)
			l.next++
			_, _ = l.conn.Write(l.discover) // a lost message counts as lost
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	deadline := time.Now().Add(settle)
	for time.Now().Before(deadline) && !l.complete(s) {
		time.Sleep(time.Millisecond)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shots = &shots{}
	return s, nil
}

func (l *load) complete(s *shots) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.done == len(s.took)
}

// warmUp runs all clients through once at a gentle rate, so that every
// measurement meets clients with leases.
func (l *load) warmUp(ctx context.Context) error {
	const rate = 4000
	s, err := l.shoot(ctx, rate, time.Duration(float64(min(l.clients, 50_000))/rate*float64(time.Second)))
	if err != nil {
		return err
	}
	if s.done < len(s.took)*9/10 {
		return fmt.Errorf("only %d of %d exchanges succeeded at %d a second", s.done, len(s.took), rate)
	}
	return nil
}

// search finds the highest rate under maxLoss: doubling, then halving the gap.
func (l *load) search(ctx context.Context, window time.Duration) (float64, error) {
	low, high := 0.0, 2000.0
	for {
		ok, err := l.sustains(ctx, high, window/2)
		if err != nil {
			return 0, err
		}
		if !ok {
			break
		}
		low, high = high, high*2
	}
	for high-low > low*0.03+50 {
		middle := (low + high) / 2
		ok, err := l.sustains(ctx, middle, window)
		if err != nil {
			return 0, err
		}
		if ok {
			low = middle
		} else {
			high = middle
		}
	}
	return low, nil
}

func (l *load) sustains(ctx context.Context, rate float64, window time.Duration) (bool, error) {
	s, err := l.shoot(ctx, rate, window)
	if err != nil {
		return false, err
	}
	return float64(len(s.took)-s.done) <= maxLoss*float64(len(s.took)), nil
}

// quantile of the time from DISCOVER to ACK.
func (s *shots) quantile(q float64) time.Duration {
	finished := slices.DeleteFunc(slices.Clone(s.took), func(d time.Duration) bool { return d == 0 })
	if len(finished) == 0 {
		return 0
	}
	slices.Sort(finished)
	return finished[int(q*float64(len(finished)-1))]
}

package bootfiles

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"
)

// patience is how long tests wait for what must come.
const patience = 20 * time.Second

// client is a TFTP client for one request, written from the RFCs and not from
// the server: 1350, 2347 to 2349, 7440.
type client struct {
	t    testing.TB
	conn *net.UDPConn
	to   netip.AddrPort // the server's port for requests
	peer netip.AddrPort // and for the transfer, once heard of

	// lose says that the packet with this block number is lost on its way to
	// the client, given how often it was sent before.
	lose func(block uint16, before int) bool
	// echo says how often each acknowledgement is sent, 1 if 0.
	echo int
	// before, if not nil, runs before each packet that is sent.
	before func()

	received int // DATA packets, lost ones included
}

// datagram is a packet from the server.
type datagram struct {
	op, number uint16
	rest       []byte
}

// refused is an ERROR from the server.
type refused struct {
	code uint16
	text string
}

func (e refused) Error() string { return fmt.Sprintf("error %d: %s", e.code, e.text) }

// newClient has a port of its own at a loopback address, 127.0.0.1 if empty.
func newClient(t testing.TB, to netip.AddrPort, from string) *client {
	t.Helper()
	if from == "" {
		from = "127.0.0.1"
	}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(from)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t: t, conn: conn, to: to}
}

// packet joins an opcode and texts, each closed by NUL.
func packet(op byte, texts ...string) []byte {
	b := []byte{0, op}
	for _, text := range texts {
		b = append(append(b, text...), 0)
	}
	return b
}

func (c *client) write(to netip.AddrPort, b []byte) {
	c.t.Helper()
	if c.before != nil {
		c.before()
	}
	if _, err := c.conn.WriteToUDPAddrPort(b, to); err != nil {
		c.t.Fatal(err)
	}
}

// ask sends a read request; options are names and values in turn.
func (c *client) ask(name, mode string, options ...string) {
	c.t.Helper()
	c.write(c.to, packet(opRead, append([]string{name, mode}, options...)...))
}

func (c *client) ack(number uint16) {
	c.t.Helper()
	for range max(1, c.echo) {
		c.write(c.peer, binary.BigEndian.AppendUint16([]byte{0, opAck}, number))
	}
}

// hear returns the server's next packet, or an error after wait.
func (c *client) hear(wait time.Duration) (datagram, error) {
	c.t.Helper()
	if err := c.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		c.t.Fatal(err)
	}
	b := make([]byte, 70000)
	n, from, err := c.conn.ReadFromUDPAddrPort(b)
	if err != nil {
		return datagram{}, err
	}
	if n < 4 {
		c.t.Fatalf("packet of %d bytes", n)
	}
	d := datagram{op: binary.BigEndian.Uint16(b), number: binary.BigEndian.Uint16(b[2:]), rest: b[4:n]}
	if d.op == opOack {
		d.number, d.rest = 0, b[2:n]
	}
	c.peer = from
	return d, nil
}

// errOnlyBegun says that the server fell silent after its first packet: it gives
// up a client whose acknowledgement comes too late, as on a machine under load.
var errOnlyBegun = fmt.Errorf("nothing after the first packet: %w", os.ErrDeadlineExceeded)

// get fetches a file, and begins anew, as firmware does, where the server fell silent
// after its first packet. It returns what the server accepted of the options.
func (c *client) get(name, mode string, options ...string) (data []byte, accepted map[string]string, err error) {
	c.t.Helper()
	for range 4 {
		if data, accepted, err = c.try(name, mode, options...); !errors.Is(err, errOnlyBegun) {
			break
		}
	}
	return data, accepted, err
}

func (c *client) try(name, mode string, options ...string) ([]byte, map[string]string, error) {
	c.t.Helper()
	old := c.peer // of a transfer before, which may have packets under way
	c.ask(name, mode, options...)
	x := newTransferred()
	var peer netip.AddrPort
	heard, wait := 0, 200*time.Millisecond
	for asked := 1; ; {
		d, err := c.hear(wait)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && heard == 0 && asked < 100: // as every client does
			c.ask(name, mode, options...)
			asked++
			continue
		case errors.Is(err, os.ErrDeadlineExceeded) && heard == 1:
			return x.data, x.accepted, errOnlyBegun
		case err != nil:
			return x.data, x.accepted, err
		case c.peer == old:
			continue
		case peer.IsValid() && c.peer != peer: // the answer to a request that was repeated: RFC 1350 section 4
			c.write(c.peer, packet(opError, "\x00\x05unknown transfer ID"))
			c.peer = peer
			continue
		}
		peer = c.peer
		heard++
		if wait = patience; heard == 1 {
			wait = patience / 4
		}
		if done, err := x.take(c, d); done || err != nil {
			return x.data, x.accepted, err
		}
	}
}

// transferred is what a client has of a file.
type transferred struct {
	data          []byte
	accepted      map[string]string
	sent          map[uint16]int // how often each block came
	block, window int
	next          uint16
	unacked       int
}

func newTransferred() *transferred {
	return &transferred{accepted: map[string]string{}, sent: map[uint16]int{}, block: 512, window: 1, next: 1}
}

// take takes a packet of the server and answers it. done: it was the last.
func (x *transferred) take(c *client, d datagram) (done bool, err error) {
	switch d.op {
	case opError:
		return false, refused{d.number, string(bytes.TrimSuffix(d.rest, []byte{0}))}
	case opOack:
		fields := bytes.Split(bytes.TrimSuffix(d.rest, []byte{0}), []byte{0})
		if len(fields)%2 != 0 {
			return false, fmt.Errorf("odd OACK %q", d.rest)
		}
		for i := 0; i < len(fields); i += 2 {
			x.accepted[string(fields[i])] = string(fields[i+1])
		}
		x.block, x.window = number(x.accepted["blksize"], x.block), number(x.accepted["windowsize"], x.window)
		c.ack(0)
	case opData:
		c.received++
		before := x.sent[d.number]
		x.sent[d.number]++
		switch {
		case c.lose != nil && c.lose(d.number, before):
			return false, nil
		case d.number != x.next:
			c.ack(x.next - 1) // RFC 7440 section 4: the last in order
			x.unacked = 0
			return false, nil
		case len(d.rest) > x.block:
			return false, errors.New("a block is too big")
		}
		x.data = append(x.data, d.rest...)
		x.next++
		done = len(d.rest) < x.block
		if x.unacked++; x.unacked == x.window || done {
			c.ack(d.number)
			x.unacked = 0
		}
		delete(x.sent, d.number-1000) // numbers come again in a long transfer
	}
	return done, nil
}

func number(text string, otherwise int) int {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return otherwise
}

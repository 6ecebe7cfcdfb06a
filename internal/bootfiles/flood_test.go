package bootfiles

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// flood sends requests with the addresses of others until its end, as many as it is
// told to before each packet of a real client: a machine under load slows both alike.
// What the server sends to them is counted; nothing is ever acknowledged.
type flood struct {
	sent, sentBytes, got, gotBytes atomic.Int64 // bytes with the headers of IPv4 and UDP
	budget                         chan struct{}
	stop                           func()
}

// more sends packets, and returns when they are on their way.
func (f *flood) more(packets int) {
	for range packets {
		f.budget <- struct{}{}
	}
}

// caughtUp waits until the server has read what was sent to it before.
func (r running) caughtUp(t testing.TB) {
	t.Helper()
	mark, before := newClient(t, r.TFTPAddr(), ""), r.count("tftp", badQuery)
	until(t, "the server to catch up", func() bool {
		mark.write(mark.to, packet(opRead, "a", "mark"))
		return r.count("tftp", badQuery) > before
	})
}

// startFlood sends the n-th packet from the n-th address. The kernel lets any
// address of 127.0.0.0/8 be the source.
func startFlood(t testing.TB, to netip.AddrPort, nth func(n int) (netip.Addr, []byte)) *flood {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{})
	if err != nil {
		t.Fatal(err)
	}
	f := &flood{budget: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		out := ipv4.NewPacketConn(conn)
		server := net.UDPAddrFromAddrPort(to)
		for n := 0; ; n++ {
			select {
			case <-f.budget:
			case <-ctx.Done():
				return
			}
			from, b := nth(n)
			if _, err := out.WriteTo(b, &ipv4.ControlMessage{Src: from.AsSlice()}, server); err == nil {
				f.sent.Add(1)
				f.sentBytes.Add(int64(len(b) + wireHeader))
			}
		}
	})
	group.Go(func() {
		b := make([]byte, 2000)
		for {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			f.got.Add(1)
			f.gotBytes.Add(int64(n + wireHeader))
		}
	})
	f.stop = sync.OnceFunc(func() {
		cancel()
		conn.Close()
		group.Wait()
	})
	t.Cleanup(f.stop)
	return f
}

// stranger is an address nobody uses twice.
func stranger() netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], 127<<24|(1+rand.Uint32N(1<<24-2)))
	return netip.AddrFrom4(b)
}

// BF-1, B-2: requests of forged senders keep no real client from its file, send
// little to the forged addresses, and leave few lines.
func TestTFTPServesRealClientsWhileForgedRequestsFlood(t *testing.T) {
	content := noise(30_000)
	many := [20000]netip.Addr{}
	for i := range many {
		many[i] = stranger()
	}
	with := packet(opRead, "a", "octet", "tsize", "0", "blksize", "1468")
	without := packet(opRead, "a", "octet")
	for name, nth := range map[string]func(n int) (netip.Addr, []byte){
		"with options":                 func(int) (netip.Addr, []byte) { return stranger(), with },
		"without options":              func(int) (netip.Addr, []byte) { return stranger(), without },
		"the same addresses in turn":   func(n int) (netip.Addr, []byte) { return many[n%len(many)], without },
		"each address twice":           func(n int) (netip.Addr, []byte) { return many[n/2%len(many)], with },
		"a few addresses":              func(n int) (netip.Addr, []byte) { return many[n%10], without },
		"names that do not exist":      func(n int) (netip.Addr, []byte) { return stranger(), packet(opRead, fmt.Sprint("no/", n), "octet") },
		"writing":                      func(int) (netip.Addr, []byte) { return stranger(), packet(opWrite, "a", "octet") },
		"acknowledgements of anything": func(n int) (netip.Addr, []byte) { return stranger(), []byte{0, opAck, 0, byte(n)} },
	} {
		t.Run(name, func(t *testing.T) {
			// Only other requests end the wait for a client, not the clock of a busy machine.
			r := serveAt(t, pace{second: 4 * time.Second, drain: patience}, map[string][]byte{"a": content}, func(c *Config) { c.HTTPListen, c.MaxPerClient = "", 16 })
			began := time.Now()
			f := startFlood(t, r.TFTPAddr(), nth)
			f.more(5000)
			for i, options := range [][]string{{"tsize", "0", "blksize", "1432"}, {"windowsize", "8"}, nil, {"tsize", "0"}} {
				tries := time.Now()
				c := newClient(t, r.TFTPAddr(), fmt.Sprint("127.200.0.", i+1))
				packets := 1500 // before each of the first, by which a client proves itself
				c.before = func() {
					f.more(packets)
					if packets > 20 {
						r.caughtUp(t)
					}
					packets = max(20, packets/2)
				}
				got, _, err := c.try("a", "octet", options...)
				for again := 0; again < 2 && options == nil && errors.Is(err, os.ErrDeadlineExceeded); again++ {
					got, _, err = c.try("a", "octet") // firmware begins anew; only a few requests without options can be answered
				}
				if err != nil || !bytes.Equal(got, content) {
					t.Errorf("options %v: %d bytes, %v", options, len(got), err)
				}
				t.Logf("options %v: after %v", options, time.Since(tries).Round(time.Millisecond))
			}
			f.stop()
			t.Logf("sent %d (%d/s), answers %d, bytes %d to %d", f.sent.Load(), int(float64(f.sent.Load())/time.Since(began).Seconds()), f.got.Load(), f.sentBytes.Load(), f.gotBytes.Load())
			r.fewLines(t, began)
			allowed := f.sentBytes.Load() + burst + int64(time.Since(began).Seconds()+1)*trickle
			if f.gotBytes.Load() > allowed || f.got.Load() > f.sent.Load() {
				t.Errorf("%d bytes in %d packets drew %d in %d", f.sentBytes.Load(), f.sent.Load(), f.gotBytes.Load(), f.got.Load())
			}
		})
	}
}

// BF-1, B-2: what one port asks for before it proved itself draws three packets and
// few lines, whatever it asks for.
func TestTFTPOneForgedPortDrawsLittle(t *testing.T) {
	for name, nth := range map[string]func(n int) string{
		"one name":          func(int) string { return "a" },
		"two names in turn": func(n int) string { return string("ab"[n%2]) },
		"many names":        func(n int) string { return fmt.Sprint(n % 50) },
	} {
		for _, options := range [][]string{nil, {"tsize", "0"}} {
			t.Run(fmt.Sprint(name, options), func(t *testing.T) {
				files := map[string][]byte{"a": noise(5000), "b": noise(5000)}
				for i := range 50 {
					files[fmt.Sprint(i)] = noise(5000)
				}
				r, began := serveFast(t, files, nil), time.Now()
				c := newClient(t, r.TFTPAddr(), "")
				for n := range 280 {
					c.ask(nth(n), "octet", options...)
				}
				c.write(c.to, packet(opWrite, "mark", "octet")) // all of the above was read once it is refused
				heard, ports := 0, map[netip.AddrPort]bool{}
				for {
					d, err := c.hear(patience)
					if err != nil {
						t.Fatal(err)
					}
					if d.op == opError {
						break
					}
					heard++
					ports[c.peer] = true
				}
				if heard < 1 || heard > maxAnswers*(1+r.count("tftp", unproved)) {
					t.Errorf("%d packets from %d ports", heard, len(ports))
				}
				if d, err := c.hear(300 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("unasked: %v, %v", d, err)
				}
				r.fewLines(t, began)
			})
		}
	}
}

// BF-1: a request ends no transfer before its sender has shown that it is there.
func TestTFTPAForgedRequestEndsNoTransfer(t *testing.T) {
	content := noise(20_000)
	r := serve(t, map[string][]byte{"a": content, "b": noise(10)}, func(c *Config) { c.MaxPerClient = 1 })
	c := newClient(t, r.TFTPAddr(), "")
	var transfer netip.AddrPort
	c.ask("a", "octet")
	var got []byte
	for next := uint16(1); ; {
		d, err := c.hear(patience)
		if err != nil {
			t.Fatal(err)
		}
		if transfer == (netip.AddrPort{}) {
			transfer = c.peer
		}
		if c.peer != transfer || d.number != next {
			continue // the answer to the forged request
		}
		got = append(got, d.rest...)
		c.ack(next)
		if len(d.rest) < 512 {
			break
		}
		if next == 3 { // whoever knows address and port can send this
			c.ask("b", "octet")
		}
		next++
	}
	if !bytes.Equal(got, content) {
		t.Errorf("%d bytes", len(got))
	}
	r.ended(t, "tftp", complete, 1)
	if n := r.count("tftp", replaced); n != 0 {
		t.Errorf("%d replaced", n)
	}
}

// BF-1: an acknowledgement counts only at the port that the first packet came
// from.
func TestTFTPAnAcknowledgementElsewhereProvesNothing(t *testing.T) {
	r := serve(t, map[string][]byte{"a": noise(5000)}, nil)
	c := newClient(t, r.TFTPAddr(), "")
	c.ask("a", "octet", "blksize", "1000")
	if d, err := c.hear(patience); err != nil || d.op != opOack {
		t.Fatal(d, err)
	}
	answered := c.peer
	for _, port := range []uint16{c.to.Port(), answered.Port() - 1, answered.Port() + 1} {
		c.peer = netip.AddrPortFrom(answered.Addr(), port)
		c.ack(0)
	}
	c.peer = answered
	for _, wrong := range []uint16{1, 2, 65535} {
		c.ack(wrong)
	}
	if d, err := c.hear(300 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v, %v", d, err)
	}
	c.ack(0)
	if d, err := c.hear(patience); err != nil || d.op != opData || d.number != 1 {
		t.Error(d, err)
	}
}

// B-2: what senders wrote stands in the log as one word of one line.
func TestHostileTextInTheLogIsQuoted(t *testing.T) {
	hostile := "x\"\ntime=\"now\" level=error msg=\"lease store failed\" \x1b[31m\u202e\xff\\"
	r := serve(t, map[string][]byte{"a": noise(5000)}, nil)
	c := newClient(t, r.TFTPAddr(), "")
	for _, p := range [][]byte{packet(opRead, hostile, "octet"), packet(opRead, `b" c="d`, "octet"), packet(opWrite, hostile, "octet")} {
		c.write(c.to, p)
		if d, err := c.hear(patience); err != nil || d.op != opError {
			t.Fatal(d, err)
		}
	}
	c.ask("a", "octet")
	if _, err := c.hear(patience); err != nil {
		t.Fatal(err)
	}
	c.write(c.peer, packet(opError, "\x00"+hostile))
	r.ended(t, "tftp", aborted, 1)
	for _, path := range []string{"/%0a%22%1b[31m", "/x%22%20level=error"} {
		request2(t, r, "GET", path)
		request2(t, r, "PUT", path)
	}
	r.stop()
	texts := 0
	for _, e := range r.logs.AllEntries() {
		for key, value := range e.Data {
			text := strings.ReplaceAll(strings.ReplaceAll(fmt.Sprint(value), `\\`, ""), `\"`, "")
			texts++
			if strings.ContainsAny(text, "\"\n\r\x1b\u202e") || !utf8.ValidString(text) {
				t.Errorf("%s: %s", key, value)
			}
		}
	}
	if texts < 20 {
		t.Errorf("%d values", texts)
	}
}

// slowReader asks for a file at a loopback address and then takes nothing of it but
// what fits into a small buffer.
func slowReader(t testing.TB, to netip.AddrPort, from string) net.Conn {
	t.Helper()
	return reader(t, to, from, 4096)
}

// reader asks for a file and reads nothing of it yet.
func reader(t testing.TB, to netip.AddrPort, from string, buffer int) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, ControlContext: func(_ context.Context, _, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, buffer) })
	}}
	conn, err := d.DialContext(t.Context(), "tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := fmt.Fprint(conn, "GET /big HTTP/1.1\r\nHost: boot\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return conn
}

// BF-2: readers that take next to nothing give way to new clients, from however
// many addresses they come.
func TestHTTPSlowReadersGiveWay(t *testing.T) {
	r := serveAt(t, pace{second: time.Second, drain: patience, fair: 500 * time.Millisecond}, map[string][]byte{"big": noise(20_000_000), "a": noise(100_000)}, func(c *Config) {
		c.TFTPListen, c.MaxTransfers, c.MaxPerClient = "", 32, 4
	})
	for i := range 32 {
		slowReader(t, r.HTTPAddr(), fmt.Sprint("127.9.0.", 1+i/4))
	}
	until(t, "all places to be taken", func() bool { return r.http.slots.inUse() == 32 })
	for i := range 40 { // more than there are places
		if code, _, body := request2(t, r, "GET", "/a"); code != 200 || !bytes.Equal(body, noise(100_000)) {
			t.Fatalf("client %d: %d, %d bytes", i, code, len(body))
		}
		slowReader(t, r.HTTPAddr(), fmt.Sprint("127.9.1.", 1+i/4)) // they come again
	}
	r.ended(t, "http", tooSlow, 1)
}

// BF-2: who takes a file at a fair rate keeps the place, however many ask.
func TestHTTPFairReadersStay(t *testing.T) {
	const piece = 256 << 10 // four times what is fair in a second
	content := noise(80 * piece)
	r := serveAt(t, pace{second: time.Second, drain: patience, fair: time.Second}, map[string][]byte{"big": content}, func(c *Config) {
		c.TFTPListen, c.MaxTransfers, c.MaxPerClient = "", 4, 2
	})
	fair := reader(t, r.HTTPAddr(), "127.9.0.1", piece)
	for i := range 3 {
		slowReader(t, r.HTTPAddr(), fmt.Sprint("127.9.0.", 2+i))
	}
	taken, b := 0, make([]byte, piece)
	for i := 0; taken < len(content); i++ {
		if err := fair.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		n, err := io.ReadFull(fair, b)
		taken += n
		if err != nil && (taken < len(content) || !errors.Is(err, io.ErrUnexpectedEOF)) {
			t.Fatalf("cut off after %d bytes: %v", taken, err)
		}
		if i%5 == 0 {
			slowReader(t, r.HTTPAddr(), fmt.Sprint("127.9.1.", 1+i/5))
		}
		time.Sleep(50 * time.Millisecond) // the rate of this client: 5 MB/s at the most
	}
	r.ended(t, "http", tooSlow, 1)
}

// BF-2: a host has a network of 64 bits in IPv6, and may call itself anything.
func TestAnIPv6HostIsOneClient(t *testing.T) {
	s := newSlots(10, 2)
	take := func(addr string) *slot { return s.take(netip.MustParseAddr(addr), func() {}) }
	for _, addr := range []string{"2001:db8:1:1::1", "2001:db8:1:1:ffff::2", "fe80::1%eth0", "fe80::2%eth1", "192.0.2.1", "192.0.2.2"} {
		if take(addr) == nil {
			t.Errorf("%s has no place", addr)
		}
	}
	for _, addr := range []string{"2001:db8:1:1::3", "fe80::3"} {
		if take(addr) != nil {
			t.Errorf("%s is a third of one network", addr)
		}
	}
	if take("2001:db8:1:2::1") == nil || take("192.0.2.1") == nil {
		t.Error("another network suffers")
	}
}

// BF-2
func TestTheSlowestGivesWayAfterAFairTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(3, 3)
		given := map[string]bool{}
		take := func(name string, last byte) *slot { return s.take(netip4(last), func() { given[name] = true }) }
		fast, slow, slower := take("fast", 1), take("slow", 2), take("slower", 3)
		for _, t := range []*slot{fast, slow, slower} {
			t.proved()
		}
		time.Sleep(fairTime - time.Second)
		if take("early", 4) != nil {
			t.Error("a place was given up before its time")
		}
		time.Sleep(time.Second)
		fast.took(2 * fairRate * int(fairTime/time.Second))
		slow.took(1000)
		late := take("late", 4)
		if late == nil || !given["slower"] || !slower.wasSlow() || len(given) != 1 {
			t.Errorf("not the slowest: %v", given)
		}
		late.proved()
		late.idle()
		late.proved() // another request
		if take("later", 5).proved(); !given["slow"] || len(given) != 2 {
			t.Errorf("%v", given)
		}
		time.Sleep(fairTime)
		late.idle()
		late.proved() // many small requests do not make it new
		fast.took(2 * fairRate * int(fairTime/time.Second))
		if take("last", 6) == nil || given["fast"] {
			t.Errorf("%v", given)
		}
	})
}

// BF-2: nothing lasts for ever.
func TestHTTPTransfersHaveAnUpperTime(t *testing.T) {
	server, client := net.Pipe()
	defer server.Close()
	defer client.Close()
	s := newSlots(1, 1)
	place := s.take(netip4(1), func() {})
	out := &sink{ResponseWriter: &deadlined{Conn: server}, slot: place, end: time.Now().Add(50 * time.Millisecond)}
	out.control = http.NewResponseController(out.ResponseWriter)
	go func() { _, _ = io.Copy(io.Discard, client) }() // it takes every piece
	for range 1000 {
		if _, err := out.Write(make([]byte, 10)); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) || time.Now().Before(out.end) {
				t.Error(err)
			}
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("no end")
}

// deadlined is a ResponseWriter whose writes end as those of a connection do.
type deadlined struct{ net.Conn }

func (d *deadlined) Header() http.Header { return nil }
func (d *deadlined) WriteHeader(int)     {}

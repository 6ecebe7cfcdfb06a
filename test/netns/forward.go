//go:build linux

package netns

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
)

// Listen opens a TCP listener in the namespace.
func (ns *Namespace) Listen(at netip.AddrPort) (net.Listener, error) {
	var l net.Listener
	err := ns.Do(func() (err error) {
		l, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
		return err
	})
	return l, err
}

// ListenPacket opens a UDP socket in the namespace.
func (ns *Namespace) ListenPacket(at netip.AddrPort) (net.PacketConn, error) {
	var c net.PacketConn
	err := ns.Do(func() (err error) {
		c, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		return err
	})
	return c, err
}

// Dial opens a TCP connection from the namespace.
func (ns *Namespace) Dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	var c net.Conn
	err := ns.Do(func() (err error) {
		c, err = new(net.Dialer).DialContext(ctx, "tcp", to.String())
		return err
	})
	return c, err
}

// ForwardIn lets programs in the namespace reach a TCP service of the machine (a NetBox, say): a
// connection to at in the namespace is carried to target outside, until the test ends.
func (ns *Namespace) ForwardIn(at, target netip.AddrPort) {
	ns.t.Helper()
	l, err := ns.Listen(at)
	if err != nil {
		ns.t.Fatalf("listen on %s in %s: %v", at, ns.name, err)
	}
	ns.forward(l, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", target.String())
	})
}

// ForwardOut lets the machine reach a TCP service in the namespace (a webhook receiver, say): it
// returns a loopback address of the machine that is carried to target, until the test ends.
func (ns *Namespace) ForwardOut(target netip.AddrPort) netip.AddrPort {
	ns.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		ns.t.Fatal(err)
	}
	ns.forward(l, func(ctx context.Context) (net.Conn, error) { return ns.Dial(ctx, target) })
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// forward carries each connection accepted by l over one made by dial.
func (ns *Namespace) forward(l net.Listener, dial func(context.Context) (net.Conn, error)) {
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					ns.t.Errorf("forward from %s: %v", l.Addr(), err)
				}
				return
			}
			work.Go(func() {
				defer in.Close()
				out, err := dial(ctx)
				if err != nil {
					return // the caller sees a connection closed without an answer
				}
				defer out.Close()
				join(ctx, in, out)
			})
		}
	})
	ns.t.Cleanup(func() {
		cancel()
		l.Close()
		work.Wait()
	})
}

// join copies both ways until both directions have ended or ctx has.
func join(ctx context.Context, a, b net.Conn) {
	stop := context.AfterFunc(ctx, func() {
		a.Close()
		b.Close()
	})
	defer stop()
	var copies sync.WaitGroup
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		copies.Go(func() {
			_, _ = io.Copy(way[0], way[1]) // an error ends the connection, as the peer's would
			if half, ok := way[0].(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
		})
	}
	copies.Wait()
}

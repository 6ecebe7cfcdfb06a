package sshtest

import (
	"context"
	"net"
	"sync"
)

// gate is the port in front of a server. It counts connections, cuts them, and holds up
// what they carry.
type gate struct {
	serve func(net.Conn) // until the connection has ended
	work  sync.WaitGroup

	mu       sync.Mutex
	changed  *sync.Cond
	listener net.Listener
	address  string // stays the same after the first listen
	open     map[*gated]bool
	accepted int
	frozen   bool
}

func newGate(host string) *gate {
	g := &gate{address: net.JoinHostPort(host, "0"), open: map[*gated]bool{}}
	g.changed = sync.NewCond(&g.mu)
	return g
}

// listen opens the port, the same as before.
func (g *gate) listen() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener != nil {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", g.address)
	if err != nil {
		return err
	}
	g.listener, g.address = listener, listener.Addr().String()
	g.work.Go(func() { g.accept(listener) })
	return nil
}

func (g *gate) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		c := &gated{Conn: conn, gate: g}
		g.mu.Lock()
		if g.listener != listener {
			g.mu.Unlock()
			_ = conn.Close()
			return
		}
		g.accepted++
		g.open[c] = true
		g.work.Go(func() {
			defer func() { _ = c.Close() }()
			g.serve(c)
		})
		g.changed.Broadcast()
		g.mu.Unlock()
	}
}

// shut closes the port; connections stay.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener != nil {
		_ = g.listener.Close()
		g.listener = nil
	}
}

// cut ends all connections now.
func (g *gate) cut() {
	g.mu.Lock()
	var open []*gated
	for c := range g.open {
		open = append(open, c)
	}
	g.mu.Unlock()
	for _, c := range open {
		_ = c.Close()
	}
}

// freeze holds up what connections carry, in both directions, or lets it go on.
func (g *gate) freeze(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.frozen = on
	g.changed.Broadcast()
}

// gated is one connection through the gate.
type gated struct {
	net.Conn
	gate *gate
}

// pass waits until nothing is held up. What was held up when the connection ended is lost.
func (c *gated) pass() error {
	c.gate.mu.Lock()
	defer c.gate.mu.Unlock()
	for c.gate.frozen && c.gate.open[c] {
		c.gate.changed.Wait()
	}
	if !c.gate.open[c] {
		return net.ErrClosed
	}
	return nil
}

func (c *gated) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if lost := c.pass(); lost != nil {
		return 0, lost
	}
	return n, err
}

func (c *gated) Write(p []byte) (int, error) {
	if err := c.pass(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (c *gated) Close() error {
	err := c.Conn.Close()
	c.gate.mu.Lock()
	defer c.gate.mu.Unlock()
	delete(c.gate.open, c)
	c.gate.changed.Broadcast()
	return err
}

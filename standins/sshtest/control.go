package sshtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// ControlVariable is the environment variable that tells the program powershell where its server
// waits in the test process.
const ControlVariable = "SSHTEST_CONTROL"

// control is the end of the test process of what the program powershell asks: how to behave, and which
// fault a request has. One connection is one PowerShell, so its end is seen however it ends.
type control struct {
	server   *Server
	listener net.Listener
	work     sync.WaitGroup

	mu     sync.Mutex
	ending bool
	open   map[*net.TCPConn]int // process ids
}

// question is a line of the program. The first one has its process id.
type question struct {
	PID                 int
	Cut                 bool
	Method, Path, Scope string
}

func newControl(tb testing.TB, s *Server) *control {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	c := &control{server: s, listener: listener, open: map[*net.TCPConn]int{}}
	c.work.Go(c.accept)
	tb.Cleanup(c.close)
	return c
}

func (c *control) address() string { return c.listener.Addr().String() }

func (c *control) accept() {
	for {
		conn, err := c.listener.Accept()
		if err != nil {
			return
		}
		c.work.Go(func() { c.answer(conn.(*net.TCPConn)) })
	}
}

// answer serves one PowerShell until it ends.
func (c *control) answer(conn *net.TCPConn) {
	defer func() { _ = conn.Close() }()
	in, out := json.NewDecoder(conn), json.NewEncoder(conn)
	var first question
	if in.Decode(&first) != nil || !c.keep(conn, first.PID) {
		return
	}
	shell := c.server.begin()
	defer c.server.end()
	defer c.drop(conn)
	for err := out.Encode(shell); err == nil; {
		var q question
		switch err = in.Decode(&q); {
		case err != nil:
		case q.Cut:
			shell.Cut()
			err = out.Encode(nil)
		default:
			err = out.Encode(shell.Take(q.Method, q.Path, q.Scope))
		}
	}
	_, _ = io.Copy(io.Discard, conn) // until the process has ended
}

func (c *control) keep(conn *net.TCPConn, pid int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ending {
		c.open[conn] = pid
	}
	return !c.ending
}

func (c *control) drop(conn *net.TCPConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, conn)
}

// close tells every PowerShell to end, and waits for it.
func (c *control) close() {
	_ = c.listener.Close()
	c.mu.Lock()
	c.ending = true
	for conn := range c.open {
		_ = conn.CloseWrite()
	}
	c.mu.Unlock()
	kill := time.AfterFunc(10*time.Second, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, pid := range c.open {
			if p, err := os.FindProcess(pid); err == nil {
				_ = p.Kill()
			}
		}
	})
	defer kill.Stop()
	c.work.Wait()
}

// Remote is PowerShell in a process of its own: it asks the server at control how to behave, and
// ends when that does.
func Remote(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, control string) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", control)
	if err != nil {
		fmt.Fprintf(stderr, "sshtest: %s: %v\n", ControlVariable, err)
		return 1
	}
	defer func() { _ = conn.Close() }()
	r := &remote{ctx: ctx, out: json.NewEncoder(conn), answers: make(chan json.RawMessage)}
	go func() {
		defer cancel()
		in := json.NewDecoder(conn)
		for {
			var raw json.RawMessage
			if in.Decode(&raw) != nil {
				return
			}
			select {
			case r.answers <- raw:
			case <-ctx.Done():
				return
			}
		}
	}()
	var shell Shell
	if err := r.ask(question{PID: os.Getpid()}, &shell); err != nil {
		fmt.Fprintf(stderr, "sshtest: %v\n", err)
		return 1
	}
	shell.Take = func(method, path, scope string) *Fault {
		var f *Fault
		if r.ask(question{Method: method, Path: path, Scope: scope}, &f) != nil {
			return &Fault{Kind: CutBefore}
		}
		return f
	}
	shell.Cut = func() { _ = r.ask(question{Cut: true}, nil) }
	return PowerShell(ctx, args, stdin, stdout, stderr, shell)
}

// remote asks one question at a time.
type remote struct {
	ctx     context.Context
	out     *json.Encoder
	answers chan json.RawMessage
}

func (r *remote) ask(q question, answer any) error {
	if err := r.out.Encode(q); err != nil {
		return err
	}
	select {
	case raw := <-r.answers:
		if answer == nil {
			return nil
		}
		return json.Unmarshal(raw, answer)
	case <-r.ctx.Done():
		return errors.New("the server has ended")
	}
}

package openssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// dialTimeout bounds the making of one TCP connection.
const dialTimeout = 10 * time.Second

// connection is a login on a server, through a jump host or not.
type connection struct {
	*ssh.Client
	via  *ssh.Client   // the jump host; nil: none
	done chan struct{} // closed when the connection has ended
}

// connect logs in.
func (c *Config) connect(ctx context.Context) (*connection, error) {
	via, err := c.dialJump(ctx, c.Timeout)
	if err != nil {
		return nil, err
	}
	client, err := c.login(ctx, c.target(), via, c.Timeout)
	if err != nil {
		if via != nil {
			_ = via.Close()
		}
		return nil, err
	}
	out := &connection{Client: client, via: via, done: make(chan struct{})}
	go out.watch(c.KeepAlive)
	return out, nil
}

// dialJump logs in on the jump host; nil where there is none.
func (c *Config) dialJump(ctx context.Context, timeout time.Duration) (*ssh.Client, error) {
	if c.jump() == nil {
		return nil, nil
	}
	return c.login(ctx, *c.jump(), nil, timeout)
}

// login connects to a host whose key is trusted, with the key of c.
func (c *Config) login(ctx context.Context, to hop, via *ssh.Client, timeout time.Duration) (*ssh.Client, error) {
	config := &ssh.ClientConfig{User: to.user}
	if err := c.HostKeys.verify(config, to); err != nil {
		return nil, to.failed(ctx, err)
	}
	method, done, err := c.Key.method(ctx, timeout)
	if err != nil {
		return nil, to.failed(ctx, err)
	}
	defer done()
	config.Auth = []ssh.AuthMethod{method}
	client, err := handshake(ctx, to, via, config, timeout)
	if _, other := errors.AsType[*ssh.AlgorithmNegotiationError](err); other {
		err = c.HostKeys.another(ctx, to, via, err)
	}
	if err != nil {
		return nil, to.failed(ctx, err)
	}
	return client, nil
}

// handshake connects, through a jump host or directly, and logs in within timeout.
func handshake(ctx context.Context, to hop, via *ssh.Client, config *ssh.ClientConfig, timeout time.Duration) (*ssh.Client, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
	defer cancel()
	address := joined(to.host, to.port)
	var conn net.Conn
	var err error
	if via == nil {
		conn, err = (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", address)
	} else if conn, err = via.DialContext(ctx, "tcp", address); err != nil {
		err = &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("%s from the jump host: %v", address, err)} //nolint:errorlint // its type is that of a refused session
	}
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { hangUp(conn, via) })
	inner, channels, requests, err := ssh.NewClientConn(conn, address, config)
	if !stop() && err == nil {
		hangUp(inner, via)
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close()
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, err
	}
	return ssh.NewClient(inner, channels, requests), nil
}

// hangUp ends a connection, and the one to the jump host that it goes through and that
// is for it alone: what goes through a jump host that is gone never hears of its end.
func hangUp(conn io.Closer, via *ssh.Client) {
	_ = conn.Close()
	if via != nil {
		_ = via.Close()
	}
}

// watch asks the other side whether it lives, and ends the connection if it does not
// say so (rule 13.2).
func (c *connection) watch(every time.Duration) {
	ended := make(chan struct{})
	go func() {
		_ = c.Wait()
		close(ended)
	}()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			if c.via != nil {
				_ = c.via.Close()
			}
			close(c.done)
			return
		case <-tick.C:
			late := time.AfterFunc(every, func() { hangUp(c, c.via) })
			_, _, _ = c.SendRequest("keepalive@openssh.com", true, nil) // fails only where the connection has ended
			late.Stop()
		}
	}
}

// end closes the connection and waits until all of it is gone.
func (c *connection) end() {
	hangUp(c, c.via)
	<-c.done
}

// target is the server of c.
func (c *Config) target() hop { return hop{user: c.User, host: c.Host, port: c.Port} }

// jump is the host on the way; nil: none.
func (c *Config) jump() *hop {
	if c.Jump == nil {
		return nil
	}
	return &hop{user: c.Jump.User, host: c.Jump.Host, port: c.Jump.Port, jump: true}
}

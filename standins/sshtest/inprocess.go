package sshtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/ssh"
)

// serve is one connection to a server in-process.
func (s *Server) serve(conn net.Conn) {
	session, channels, requests, err := ssh.NewServerConn(conn, s.login())
	if err != nil {
		return // it only wanted the host key, or was not let in
	}
	var work sync.WaitGroup
	defer work.Wait()
	defer func() { _ = session.Close() }()
	work.Go(func() { ssh.DiscardRequests(requests) }) // a keepalive is answered by a refusal
	limit, open := int64(s.config.MaxSessions), &atomic.Int64{}
	if limit == 0 {
		limit = 10
	}
	for channel := range channels {
		switch kind := channel.ChannelType(); {
		case kind == "direct-tcpip" && s.config.jump:
			work.Go(func() { s.forward(channel) })
		case kind != "session" || s.config.jump:
			s.note(kind)
			_ = channel.Reject(ssh.Prohibited, "administratively prohibited")
		case open.Add(1) > limit:
			open.Add(-1)
			_ = channel.Reject(ssh.ConnectionFailed, "open failed")
		default:
			work.Go(func() {
				defer open.Add(-1)
				s.session(channel)
			})
		}
	}
}

// login is who is let in.
func (s *Server) login() *ssh.ServerConfig {
	refused := errors.New("permission denied")
	password := func() (*ssh.Permissions, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.passwords++
		return nil, refused
	}
	c := &ssh.ServerConfig{
		ServerVersion: "SSH-2.0-OpenSSH_for_Windows_9.5",
		PublicKeyCallback: func(who ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if who.User() != s.User {
				return nil, refused
			}
			for _, one := range s.keys() {
				if bytes.Equal(one.Marshal(), key.Marshal()) {
					return &ssh.Permissions{}, nil
				}
			}
			return nil, refused
		},
		PasswordCallback: func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) { return password() },
		KeyboardInteractiveCallback: func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			if _, err := ask("", "", []string{"Password: "}, []bool{false}); err != nil {
				return nil, err
			}
			return password()
		},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range s.hostKeys {
		c.AddHostKey(key)
	}
	return c
}

func (s *Server) note(strange string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strange = append(s.strange, strange)
}

// session is one channel: it runs one command.
func (s *Server) session(offered ssh.NewChannel) {
	channel, requests, err := offered.Accept()
	if err != nil {
		return
	}
	var work sync.WaitGroup
	defer work.Wait()
	ran := false
	for request := range requests {
		var in struct{ Command string }
		if request.Type != "exec" || ran || ssh.Unmarshal(request.Payload, &in) != nil {
			s.note(request.Type)
			_ = request.Reply(false, nil)
			continue
		}
		ran = true
		_ = request.Reply(true, nil) // the channel may have gone
		if s.forced != "" {
			in.Command = s.forced
		}
		work.Go(func() { s.exec(channel, in.Command) })
	}
	_ = channel.Close()
}

// exec runs a command line, as the default shell of Windows does.
func (s *Server) exec(channel ssh.Channel, command string) {
	shell := s.begin()
	defer s.end()
	// A PowerShell that works goes on to do so when nobody listens any more.
	status := PowerShell(s.ctx, words(command), channel, channel, channel.Stderr(), shell)
	_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(status)}))
	_ = channel.Close()
}

// words splits a command line. Quotation marks hold words together.
func words(command string) []string {
	quoted := false
	return strings.FieldsFunc(command, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
			return true
		}
		return r == ' ' && !quoted
	})
}

// forward is the way through a jump host.
func (s *Server) forward(offered ssh.NewChannel) {
	var to struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(offered.ExtraData(), &to); err != nil {
		_ = offered.Reject(ssh.ConnectionFailed, "malformed")
		return
	}
	if ip := net.ParseIP(to.Host); to.Host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		_ = offered.Reject(ssh.Prohibited, "administratively prohibited: open failed")
		return
	}
	target, err := (&net.Dialer{}).DialContext(s.ctx, "tcp", net.JoinHostPort(to.Host, strconv.FormatUint(uint64(to.Port), 10)))
	if err != nil {
		_ = offered.Reject(ssh.ConnectionFailed, "connect failed: Connection refused")
		return
	}
	channel, requests, err := offered.Accept()
	if err != nil {
		_ = target.Close()
		return
	}
	var work sync.WaitGroup
	work.Go(func() { ssh.DiscardRequests(requests) })
	work.Go(func() {
		_, _ = io.Copy(target, channel)
		_ = target.(*net.TCPConn).CloseWrite()
	})
	stop := context.AfterFunc(s.ctx, func() { _ = target.Close() })
	_, _ = io.Copy(channel, target)
	stop()
	_ = channel.Close()
	_ = target.Close()
	work.Wait()
}

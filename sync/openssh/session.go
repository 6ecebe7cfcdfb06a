package openssh

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/crypto/ssh"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
)

// session is one PowerShell with the script in it. One request at a time uses it.
type session struct {
	ssh   *ssh.Session
	in    io.WriteCloser
	log   logrus.FieldLogger
	marks chan string   // what followed a mark
	done  chan struct{} // closed when the end of standard output was read
	ended error         // why; valid after done
	gone  chan struct{} // closed when standard error was read too
	hello hello
	id    int // of the last request

	mu  sync.Mutex
	err bytes.Buffer // standard error, its first maxSaid bytes
	out string       // noise of standard output, in one line
}

// start runs PowerShell in a new session of a connection. The opening of a session knows
// no limit of its own, and does not return at all where the connection ends in that very
// moment; so it is left to itself when ctx or the connection ends.
func start(ctx context.Context, conn *connection, command string, log logrus.FieldLogger) (*session, error) {
	type result struct {
		s   *session
		err error
	}
	out, left := make(chan result), make(chan struct{})
	defer close(left)
	go func() {
		s, err := begin(conn, command, log)
		select {
		case out <- result{s, err}:
		case <-left:
			if s != nil {
				s.kill()
			}
		}
	}()
	select {
	case r := <-out:
		return r.s, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-conn.done:
		return nil, errEnded
	}
}

func begin(conn *connection, command string, log logrus.FieldLogger) (*session, error) {
	inner, err := conn.NewSession()
	if err != nil {
		return nil, err
	}
	s := &session{ssh: inner, log: log, marks: make(chan string, 1), done: make(chan struct{}), gone: make(chan struct{})}
	s.in, err = inner.StdinPipe()
	var out io.Reader
	if err == nil {
		out, err = inner.StdoutPipe()
	}
	if err == nil {
		inner.Stderr = keeper{s}
		if err = inner.Start(command); err != nil && strings.Contains(err.Error(), command) {
			err = &endpoint.Error{Kind: endpoint.NoGreeting, Err: errors.New("the server lets this login run no command")} // x/crypto has no type for it, and repeats the command
		}
	}
	if err != nil {
		_ = inner.Close()
		return nil, err
	}
	go s.read(newReader(out))
	go func() {
		_ = inner.Wait() // the exit code says nothing that is not known
		close(s.gone)
	}()
	return s, nil
}

// keeper keeps the beginning of standard error.
type keeper struct{ s *session }

// Write never fails, so that PowerShell is not held up.
func (k keeper) Write(p []byte) (int, error) {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	k.s.err.Write(p[:min(len(p), maxSaid-k.s.err.Len())])
	return len(p), nil
}

// read passes on the lines of the server until they end.
func (s *session) read(r *reader) {
	defer close(s.done)
	for {
		text, err := r.next()
		s.noise(r.noise.Bytes())
		if err != nil {
			s.ended = err
			if errors.Is(err, io.EOF) {
				s.ended = errEnded
			}
			s.kill()
			return
		}
		select {
		case s.marks <- text:
		default: // one that nothing asked for: the buffer still holds another
			s.ended = errOrder
			s.kill()
			return
		}
	}
}

func (s *session) noise(raw []byte) {
	if text := said(raw[:min(len(raw), maxSaid)]); text != "" {
		s.log.WithField("output", text).Debug("the server wrote text that is no answer")
		s.mu.Lock()
		s.out = text
		s.mu.Unlock()
	}
}

// words are what PowerShell said beside its answers, for an error.
func (s *session) words() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text := said(s.err.Bytes()); text != "" {
		return rest.Clean(text, rest.MaxWords)
	}
	return rest.Clean(s.out, rest.MaxWords)
}

// await gives what follows the next mark. ctx ends the session.
func (s *session) await(ctx context.Context) (string, error) {
	select {
	case text := <-s.marks:
		return text, nil
	case <-ctx.Done():
		s.kill() // a server that is gone does not confirm it, so nothing waits for that
		return "", context.Cause(ctx)
	case <-s.done:
		select { // the last line came with the end
		case text := <-s.marks:
			return text, nil
		default:
			return "", s.ended
		}
	}
}

// write sends one line. ctx ends the session. A server that takes nothing and confirms
// nothing holds up the writing, but not the caller.
func (s *session) write(ctx context.Context, line []byte) error {
	out := make(chan error, 1)
	go func() {
		_, err := s.in.Write(line)
		out <- err
	}()
	select {
	case err := <-out:
		return err
	case <-ctx.Done():
		s.kill()
		return context.Cause(ctx)
	}
}

// greet brings the session to its greeting: by sending the script where the bootstrap
// runs, or at once where the key is bound to one (rules 13.4 and 13.5).
func (s *session) greet(ctx context.Context, script string) error {
	text, err := s.await(ctx)
	if mode, ok := strings.CutPrefix(text, "boot "); ok && err == nil {
		if mode != "FullLanguage" {
			return &endpoint.Error{
				Kind: endpoint.NoGreeting, Message: "PowerShell runs in the language mode " + rest.Clean(mode, 40) + ", which forbids what the script needs",
				Advice: "let the account run in FullLanguage (AppLocker, App Control for Business), or install the signed output of netbox-dhcp-sync windows-script, or use PowerShell Universal",
			}
		}
		if err = s.write(ctx, append([]byte(base64.StdEncoding.EncodeToString([]byte(script))), '\n')); err == nil {
			text, err = s.await(ctx)
		}
	}
	if err != nil {
		return s.mute(err)
	}
	coded, ok := strings.CutPrefix(text, "hello ")
	if !ok {
		return s.mute(errors.New("the first word of the script is no greeting"))
	}
	if s.hello, err = readHello(coded); err != nil {
		return s.mute(err)
	}
	if s.hello.Protocol != protocol || s.hello.Script != endpoint.ScriptName {
		return &endpoint.Error{Kind: endpoint.WrongScript, Message: "another script than ours greets, or one of another protocol: " + s.hello.Script + " " + s.hello.Version}
	}
	return nil
}

// mute is why there is no greeting, with what was said instead.
func (s *session) mute(err error) error {
	if errors.Is(err, errTimeout) {
		return &endpoint.Error{Kind: endpoint.TimedOut, Message: "logged in, and the script did not greet in time", Err: err}
	}
	within(s.gone, time.Second) // what PowerShell said may come after its end
	return &endpoint.Error{Kind: endpoint.NoGreeting, Message: s.words(), Err: err}
}

// ask sends a request and gives its answer. An error ends the session.
func (s *session) ask(ctx context.Context, r request) (reply, error) {
	s.id++
	r.ID = s.id
	line, err := r.line()
	if err != nil {
		return reply{}, err
	}
	if err := s.write(ctx, line); err != nil {
		return reply{}, err
	}
	text, err := s.await(ctx)
	if err != nil {
		return reply{}, err
	}
	got, err := readReply(text)
	if err == nil && got.id != r.ID {
		err = errOrder
	}
	return got, err
}

// kill ends the session without waiting for the script.
func (s *session) kill() { _ = s.ssh.Close() }

// patience is how long the script may take to end by itself.
const patience = 3 * time.Second

// end lets the script end by itself, for a while, and tells what it said.
func (s *session) end() {
	_ = s.in.Close()
	within(s.gone, patience)
	s.kill()
	s.mu.Lock()
	defer s.mu.Unlock()
	if text := said(s.err.Bytes()); text != "" {
		s.log.WithField("output", text).Debug("PowerShell wrote on its standard error")
	}
}

// over reports whether an end has come.
func over(ended <-chan struct{}) bool {
	select {
	case <-ended:
		return true
	default:
		return false
	}
}

// within waits for an end, but not longer than that.
func within(ended <-chan struct{}, longest time.Duration) {
	late := time.NewTimer(longest)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
	}
}

// Package sshtest is a Windows DHCP server behind OpenSSH for tests: an SSH server, in-process or
// Debian's sshd, whose powershell is a stand-in that takes the known scripts by their sums and
// speaks rule 13.1. What is asked is carried out by a stand-in of PowerShell Universal (package
// psutest), so state, faults and recorded requests are the same at both doors. It runs no
// PowerShell, and must know nothing of the client it tests.
package sshtest

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/fault"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
)

// Config says what server to make.
type Config struct {
	// Windows holds the state and carries out what is asked. Where its configuration does not
	// say otherwise, it has the script of deploy/psu from now on, and 404 for paths it does not
	// know. A jump host has none.
	Windows *psutest.Server
	// Listen is a loopback address; empty: 127.0.0.1.
	Listen string
	// Shell are the knobs of PowerShell and the texts it accepts.
	Shell Shell
	// Bound is the text of the installed script: the key is bound to it by a forced
	// command, whatever the client asks for. Empty: it is not bound.
	Bound string
	// User is the account to log in with, of a server in-process; empty: netbox-dhcp. Debian's
	// sshd has the user that runs the test.
	User string
	// HostKeys are ed25519, ecdsa or rsa keys; none: one ed25519 key.
	HostKeys []crypto.Signer
	// MaxSessions is how many sessions one connection may have at once; 0: 10.
	MaxSessions int

	jump bool
}

// Server is a running stand-in. Its methods are safe for concurrent use.
type Server struct {
	Host string // an address of loopback
	Port int    // stays the same over Stop, Start and NewHostKeys
	User string
	// Key is what the client logs in with, and KeyFile where it lies, without a passphrase.
	Key     ssh.Signer
	KeyFile string

	config Config
	folder string
	faults fault.Faults[Fault]
	gate   *gate
	real   *daemon // nil: in-process
	ctx    context.Context
	forced string // command line of a bound key; empty: none

	mu         sync.Mutex
	idle       *sync.Cond
	hostKeys   []ssh.Signer
	authorized []ssh.PublicKey
	refuses    bool
	shell      Shell
	started    int // sessions
	running    int
	passwords  int
	strange    []string
}

// New starts a server in-process and ends it with the test.
func New(tb testing.TB, c Config) *Server {
	tb.Helper()
	if c.Windows == nil {
		tb.Fatal("sshtest: Config.Windows is missing")
	}
	s := prepare(tb, c)
	s.gate.serve = s.serve
	s.listen(tb)
	return s
}

// NewJump starts a server in-process that lets its users go on to addresses of loopback, and
// does nothing else. Authorize tells it the key of the server behind it.
func NewJump(tb testing.TB, c Config) *Server {
	tb.Helper()
	c.jump = true
	s := prepare(tb, c)
	s.gate.serve = s.serve
	s.listen(tb)
	return s
}

// prepare makes keys and files.
func prepare(tb testing.TB, c Config) *Server {
	tb.Helper()
	// The context of a test ends before its clean-up, which would end sessions too early.
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	s := &Server{config: c, User: cmp.Or(c.User, "netbox-dhcp"), folder: tb.TempDir(), gate: newGate(cmp.Or(c.Listen, "127.0.0.1")), ctx: ctx, shell: c.Shell}
	s.idle = sync.NewCond(&s.mu)
	tb.Cleanup(func() {
		cancel()
		s.gate.shut()
		s.gate.cut()
		s.gate.work.Wait()
	})
	key := NewKey(tb)
	s.Key, s.KeyFile = signer(tb, key), filepath.Join(s.folder, "id_ed25519")
	s.authorized = []ssh.PublicKey{s.Key.PublicKey()}
	writeKey(tb, s.KeyFile, key)
	if len(s.config.HostKeys) == 0 {
		s.config.HostKeys = []crypto.Signer{NewKey(tb)}
	}
	for _, key := range s.config.HostKeys {
		s.hostKeys = append(s.hostKeys, signer(tb, key))
	}
	if c.Windows != nil {
		c.Windows.Configure(func(p *psutest.Config) {
			p.UnknownPath, p.Script = cmp.Or(p.UnknownPath, http.StatusNotFound), cmp.Or(p.Script, psutest.Own)
		})
	}
	if c.Bound != "" {
		path := filepath.Join(s.folder, "installed.ps1")
		if err := os.WriteFile(path, []byte(c.Bound), 0o600); err != nil {
			tb.Fatal(err)
		}
		s.forced = "powershell -NoProfile -NonInteractive -OutputFormat Text -ExecutionPolicy Bypass -File " + path
	}
	return s
}

func (s *Server) listen(tb testing.TB) {
	tb.Helper()
	if err := s.gate.listen(); err != nil {
		tb.Fatal(err)
	}
	host, port, err := net.SplitHostPort(s.gate.address)
	if err != nil {
		tb.Fatal(err)
	}
	s.Host = host
	if s.Port, err = strconv.Atoi(port); err != nil {
		tb.Fatal(err)
	}
}

// NewKey makes an ed25519 key.
func NewKey(tb testing.TB) crypto.Signer {
	tb.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func signer(tb testing.TB, key crypto.Signer) ssh.Signer {
	tb.Helper()
	out, err := ssh.NewSignerFromSigner(key)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// writeKey writes a private key as ssh-keygen does, for its owner alone.
func writeKey(tb testing.TB, path string, key crypto.Signer) {
	tb.Helper()
	block, err := ssh.MarshalPrivateKey(key, "")
	if err == nil {
		err = os.WriteFile(path, pem.EncodeToMemory(block), 0o600)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// HostKey is the first host key.
func (s *Server) HostKey() ssh.PublicKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hostKeys[0].PublicKey()
}

// Fingerprint is that of HostKey, as ssh-keygen -l writes it.
func (s *Server) Fingerprint() string { return ssh.FingerprintSHA256(s.HostKey()) }

// NewHostKeys ends all connections; who comes again on the same port finds other host keys, one
// ed25519 key if none is named.
func (s *Server) NewHostKeys(tb testing.TB, keys ...crypto.Signer) {
	tb.Helper()
	if len(keys) == 0 {
		keys = []crypto.Signer{NewKey(tb)}
	}
	var signers []ssh.Signer
	for _, key := range keys {
		signers = append(signers, signer(tb, key))
	}
	s.Stop()
	s.mu.Lock()
	s.hostKeys, s.config.HostKeys = signers, keys
	s.mu.Unlock()
	s.rewrite(tb)
	s.Start(tb)
}

// Authorize lets another key log in too.
func (s *Server) Authorize(tb testing.TB, key ssh.PublicKey) {
	tb.Helper()
	s.mu.Lock()
	s.authorized = append(s.authorized, key)
	s.mu.Unlock()
	s.rewrite(tb)
}

// Refuse takes away the right to log in from every key, or gives it back.
func (s *Server) Refuse(tb testing.TB, on bool) {
	tb.Helper()
	s.mu.Lock()
	s.refuses = on
	s.mu.Unlock()
	s.rewrite(tb)
}

// keys are those that may log in now.
func (s *Server) keys() []ssh.PublicKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuses {
		return nil
	}
	return slices.Clone(s.authorized)
}

// Configure changes PowerShell for sessions that begin from now on.
func (s *Server) Configure(change func(*Shell)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.shell)
}

// Stop closes the port and ends all connections.
func (s *Server) Stop() {
	s.gate.shut()
	s.gate.cut()
}

// Start opens the same port again.
func (s *Server) Start(tb testing.TB) {
	tb.Helper()
	if err := s.gate.listen(); err != nil {
		tb.Fatal(err)
	}
}

// Cut ends all connections now, without a word.
func (s *Server) Cut() { s.gate.cut() }

// Freeze holds up all that connections carry, in both directions, as a firewall does that forgot
// them: nothing is answered, keepalives neither. Thaw lets it go on.
func (s *Server) Freeze() { s.gate.freeze(true) }

// Thaw ends Freeze.
func (s *Server) Thaw() { s.gate.freeze(false) }

// Connections is how many connections came since the start, logged in or not.
func (s *Server) Connections() int {
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	return s.gate.accepted
}

// Sessions is how many times PowerShell was started.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started
}

// Running is how many PowerShells run now.
func (s *Server) Running() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
}

// AwaitIdle blocks until no PowerShell runs and no connection is open.
func (s *Server) AwaitIdle() {
	s.mu.Lock()
	for s.running > 0 {
		s.idle.Wait()
	}
	s.mu.Unlock()
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	for len(s.gate.open) > 0 {
		s.gate.changed.Wait()
	}
}

// Passwords is how often a password or an answer in its place was offered; in-process only.
func (s *Server) Passwords() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.passwords
}

// Strange are the SSH requests and channels that a client of the door has no use for, such as
// auth-agent-req@openssh.com or pty-req, in the order of arrival; in-process only.
func (s *Server) Strange() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.strange)
}

// begin counts a PowerShell that starts, and says how it behaves.
func (s *Server) begin() Shell {
	s.mu.Lock()
	s.started++
	s.running++
	out := s.shell
	s.mu.Unlock()
	out.Take, out.Cut = s.take, s.Cut
	if w := s.config.Windows; w != nil {
		out.Backend, out.Token = w.URL(), w.Writer()
		w.Configure(func(p *psutest.Config) {
			out.Computer, out.ScriptVersion = cmp.Or(out.Computer, p.Computer), cmp.Or(out.ScriptVersion, p.Script)
			if out.Rights == "" && p.Rights == "read" {
				out.Rights = "read"
			}
		})
	}
	return out
}

// end counts a PowerShell that has ended.
func (s *Server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	s.idle.Broadcast()
}

package sshtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
)

// What the contract says of the endpoint script holds through SSH too (rule 13).
func TestTheContractHoldsThroughSSH(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		s := k.made(t, windows(t, psutest.Config{}), nil)
		psutest.Contract(t, ready(t, s).target())
	})
}

func TestOnlyItsKeyIsLetIn(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		s := k.made(t, windows(t, psutest.Config{}), nil)
		other := signer(t, NewKey(t))
		text, err := os.ReadFile(s.KeyFile)
		if err != nil {
			t.Fatal(err)
		}
		fromFile, err := ssh.ParsePrivateKey(text)
		if err != nil {
			t.Fatal(err)
		}
		try := func(key ssh.Signer) bool {
			client, err := dial(s, key)
			if err == nil {
				_ = client.Close()
			}
			return err == nil
		}
		if !try(s.Key) || !try(fromFile) || try(other) {
			t.Error("the wrong keys are let in")
		}
		s.Authorize(t, other.PublicKey())
		if !try(other) || !try(s.Key) {
			t.Error("a key that was added is refused")
		}
		s.Refuse(t, true)
		if try(s.Key) {
			t.Error("a refused key is let in")
		}
		s.Refuse(t, false)
		if !try(s.Key) || s.Passwords() != 0 || s.Connections() != 7 || s.Sessions() != 0 {
			t.Errorf("%d passwords, %d connections, %d sessions", s.Passwords(), s.Connections(), s.Sessions())
		}
	})
}

func TestPasswordsAreCountedAndRefused(t *testing.T) {
	s := made(t, windows(t, psutest.Config{}), nil)
	_, err := ssh.Dial("tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), &ssh.ClientConfig{
		User: s.User, Auth: []ssh.AuthMethod{ssh.Password("x"), ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) ([]string, error) {
			return make([]string, len(questions)), nil
		})}, HostKeyCallback: ssh.FixedHostKey(s.HostKey()),
	})
	if err == nil || s.Passwords() != 2 {
		t.Errorf("%v, %d passwords", err, s.Passwords())
	}
}

func TestAServerShowsTheHostKeyThatIsAskedFor(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		weak, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		s := k.made(t, windows(t, psutest.Config{}), func(c *Config) { c.HostKeys = []crypto.Signer{NewKey(t), weak, curve} })
		for _, key := range []crypto.Signer{weak, curve} {
			want := signer(t, key).PublicKey()
			client, err := ssh.Dial("tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), &ssh.ClientConfig{
				User: s.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(s.Key)}, HostKeyCallback: ssh.FixedHostKey(want),
				HostKeyAlgorithms: map[string][]string{"ssh-rsa": {ssh.KeyAlgoRSASHA256}, "ecdsa-sha2-nistp256": {ssh.KeyAlgoECDSA256}}[want.Type()],
			})
			if err != nil {
				t.Errorf("%s: %v", want.Type(), err)
				continue
			}
			_ = client.Close()
		}
	})
}

func TestTheHostKeyChangesOnTheSamePort(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		s := k.made(t, windows(t, psutest.Config{}), nil)
		a := ready(t, s)
		port, before := s.Port, s.HostKey()
		s.NewHostKeys(t)
		if _, err := a.do("GET", "health", nil); err == nil {
			t.Error("the old connection lives")
		}
		if s.Port != port || s.Fingerprint() == ssh.FingerprintSHA256(before) {
			t.Errorf("port %d, before %d; fingerprint %s", s.Port, port, s.Fingerprint())
		}
		if _, err := ready(t, s).do("GET", "health", nil); err != nil {
			t.Error(err)
		}
	})
}

func TestSessionsOfOneConnectionAreLimited(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		s := k.made(t, windows(t, psutest.Config{}), func(c *Config) { c.MaxSessions = 2 })
		client := login(t, s)
		var opened []*asker
		for range 2 {
			a, err := open(t, client, encoded("powershell"), whole)
			if err != nil {
				t.Fatal(err)
			}
			opened = append(opened, a)
		}
		if _, err := open(t, client, encoded("powershell"), whole); err == nil {
			t.Error("a third session is there")
		}
		for _, a := range opened {
			if _, err := a.do("GET", "health", nil); err != nil {
				t.Error(err)
			}
		}
		if s.Sessions() != 2 || s.Running() != 2 || s.Connections() != 1 {
			t.Errorf("%d sessions, %d run, %d connections", s.Sessions(), s.Running(), s.Connections())
		}
		_ = client.Close()
		s.AwaitIdle()
		if s.Sessions() != 2 || s.Running() != 0 {
			t.Errorf("%d sessions, %d run after the end", s.Sessions(), s.Running())
		}
	})
}

func TestAStoppedServerComesBackOnTheSamePort(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		s := k.made(t, windows(t, psutest.Config{}), nil)
		a := ready(t, s)
		s.Stop()
		if _, err := a.do("GET", "health", nil); err == nil {
			t.Error("the connection lives")
		}
		if _, err := dial(s, s.Key); err == nil {
			t.Error("it lets in")
		}
		s.Start(t)
		s.Cut() // there is nothing to cut
		if _, err := ready(t, s).do("GET", "health", nil); err != nil {
			t.Error(err)
		}
	})
}

func TestAFrozenServerAnswersNothing(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		w := windows(t, psutest.Config{})
		s := k.made(t, w, nil)
		client := login(t, s)
		s.Freeze()
		conn, err := net.Dial("tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a new connection: %v", err)
		}
		alive := make(chan error, 1)
		go func() {
			_, _, err := client.SendRequest("keepalive@openssh.com", true, nil)
			alive <- err
		}()
		s.Thaw()
		if err := <-alive; err != nil {
			t.Errorf("after the thaw: %v", err)
		}
		s.Freeze()
		go func() {
			_, _, err := client.SendRequest("keepalive@openssh.com", true, nil)
			alive <- err
		}()
		s.Cut()
		if err := <-alive; err == nil {
			t.Error("a frozen server answered")
		}
	})
}

func TestWhatTheDoorHasNoUseForIsNoted(t *testing.T) {
	s := made(t, windows(t, psutest.Config{}), nil)
	client := login(t, s)
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"auth-agent-req@openssh.com", "pty-req"} {
		if ok, err := session.SendRequest(name, true, nil); ok || err != nil {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
	_ = session.Close()
	if conn, err := client.Dial("tcp", "127.0.0.1:1"); err == nil {
		_ = conn.Close()
		t.Error("it forwards")
	}
	if want := []string{"auth-agent-req@openssh.com", "pty-req", "direct-tcpip"}; !slices.Equal(s.Strange(), want) {
		t.Errorf("noted %q, want %q", s.Strange(), want)
	}
}

// through logs in to a server behind a jump host.
func through(t *testing.T, jump, s *Server) *asker {
	t.Helper()
	jump.Authorize(t, s.Key.PublicKey())
	way, err := dial(jump, s.Key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = way.Close() })
	at := net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	conn, err := way.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	inner, channels, requests, err := ssh.NewClientConn(conn, at, &ssh.ClientConfig{
		User: s.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(s.Key)}, HostKeyCallback: ssh.FixedHostKey(s.HostKey()),
	})
	if err != nil {
		t.Fatal(err)
	}
	client := ssh.NewClient(inner, channels, requests)
	t.Cleanup(func() { _ = client.Close() })
	if session, err := way.NewSession(); err == nil {
		if out, err := session.CombinedOutput("powershell"); err == nil {
			t.Errorf("the jump host has a shell: %q", out)
		}
	}
	a, err := open(t, client, encoded("powershell"), whole)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAJumpHostIsTheWayAndNothingElse(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		s, jump := k.made(t, windows(t, psutest.Config{}), nil), k.jump(t, Config{})
		a := through(t, jump, s)
		if _, err := a.do("GET", "scopes", nil); err != nil {
			t.Error(err)
		}
		way := login(t, jump)
		for at, want := range map[string]string{"192.0.2.1:22": "prohibited", "127.0.0.1:1": "refused"} {
			if _, err := way.Dial("tcp", at); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", at, err)
			}
		}
		jump.Cut()
		if _, err := a.do("GET", "scopes", nil); err == nil {
			t.Error("the way is cut, and it answers")
		}
	})
}

package openssh_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/sshtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/openssh"
)

func rsaKey(t *testing.T, bits int) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ecdsaKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// rule 13.7: a key is shown, compared, trusted; and no login is tried before.
func TestHostKeysAreNeverAcceptedUnseen(t *testing.T) {
	l := newLab(t)
	l.trust.File = filepath.Join(t.TempDir(), "new", "known_hosts")
	_, err := l.client().Health(t.Context())
	if e := wantKind(t, err, endpoint.HostKeyUnknown); !strings.Contains(e.Error(), l.ssh.Fingerprint()) || !strings.Contains(e.Fix(), "cert fetch") || !endpoint.Shut(e.Kind) {
		t.Error(e)
	}
	key, err := openssh.Fetch(t.Context(), l.config())
	if err != nil || key.Fingerprint != l.ssh.Fingerprint() || key.Type != "ssh-ed25519" || key.Jump || key.Host != l.ssh.Host || key.Port != l.ssh.Port {
		t.Fatalf("%+v, %v", key, err)
	}
	if kept, err := l.trust.Of(l.ssh.Host, l.ssh.Port); len(kept) != 0 || err != nil {
		t.Errorf("Fetch kept %+v, %v", kept, err)
	}
	for _, wrong := range []string{"", "SHA256:", "SHA256:" + strings.Repeat("A", 42), "MD5:aa:bb", strings.Repeat("A", 44)} {
		_, err := l.trust.Trust(t.Context(), l.config(), wrong)
		wantKind(t, err, endpoint.Invalid)
	}
	_, err = l.trust.Trust(t.Context(), l.config(), "SHA256:"+strings.Repeat("A", 43))
	if e := wantKind(t, err, endpoint.HostKeyMismatch); !strings.Contains(e.Error(), l.ssh.Fingerprint()) {
		t.Error(e)
	}
	if _, err := os.Stat(l.trust.File); !errors.Is(err, fs.ErrNotExist) {
		t.Error("another key than was compared is kept")
	}
	if n := l.ssh.Sessions(); n != 0 {
		t.Errorf("%d sessions", n)
	}
	l.trusting()
	if info, err := os.Stat(l.trust.File); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if kept, err := l.trust.Of(l.ssh.Host, l.ssh.Port); len(kept) != 1 || err != nil || kept[0].Fingerprint != l.ssh.Fingerprint() {
		t.Errorf("kept %+v, %v", kept, err)
	}
	if _, err := l.client().Health(t.Context()); err != nil {
		t.Error(err)
	}
	if err := l.trust.Remove(l.ssh.Host, l.ssh.Port); err != nil {
		t.Error(err)
	}
	if err := l.trust.Remove(l.ssh.Host, l.ssh.Port); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed twice: %v", err)
	}
	_, err = l.client().Health(t.Context())
	wantKind(t, err, endpoint.HostKeyUnknown)
}

// rule 13.7: a changed key stops the server, before anything is sent.
func TestAChangedHostKeyIsRefused(t *testing.T) {
	l := newLab(t)
	c := l.client()
	if _, err := c.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	old := l.ssh.Fingerprint()
	l.ssh.NewHostKeys(t)
	l.windows.ForgetRequests()
	before := l.ssh.Sessions()
	for range 2 {
		_, err := c.Health(t.Context())
		if e := wantKind(t, err, endpoint.HostKeyMismatch); !strings.Contains(e.Error(), old) || !strings.Contains(e.Error(), l.ssh.Fingerprint()) || !strings.Contains(e.Fix(), "cert trust") {
			t.Error(e)
		}
	}
	if l.ssh.Sessions() != before || len(l.windows.Requests()) > 0 {
		t.Error("something was sent to another machine")
	}
	l.trusting()
	if _, err := c.Health(t.Context()); err != nil {
		t.Error(err)
	}
}

// rule 13.7: of several keys the trusted one is asked for, so that another one that the
// server would rather show is no mismatch.
func TestOnlyAlgorithmsOfTrustedKeysAreOffered(t *testing.T) {
	ed, ec, rs := sshtest.NewKey(t), ecdsaKey(t), rsaKey(t, 2048)
	for name, trusted := range map[string]crypto.Signer{"ed25519": ed, "ecdsa": ec, "rsa": rs} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, func(c *sshtest.Config) { c.HostKeys = []crypto.Signer{ed, ec, rs} })
			signer, err := ssh.NewSignerFromSigner(trusted)
			if err != nil {
				t.Fatal(err)
			}
			address := knownhosts.Normalize("127.0.0.1:" + portText(l))
			l.trust.File = write(t, filepath.Join(t.TempDir(), "known_hosts"), knownhosts.Line([]string{address}, signer.PublicKey())+"\n", 0o600)
			if _, err := l.client().Health(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func portText(l *lab) string {
	_, port, _ := strings.Cut(strings.TrimPrefix(l.client().URL(), "ssh://netbox-dhcp@"), ":")
	return port
}

// A file of the operator's own: other hosts, hidden names, comments stay as they are.
func TestTrustLeavesOtherLinesAlone(t *testing.T) {
	l := newLab(t)
	other := "# ours\ndh9.corp.example,10.0.0.9 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n"
	hidden := knownhosts.HashHostname("dh8.corp.example") + " ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n"
	l.trust.File = write(t, filepath.Join(t.TempDir(), "known_hosts"), other+hidden, 0o600)
	l.trusting()
	l.ssh.NewHostKeys(t)
	l.trusting()
	text, err := os.ReadFile(l.trust.File)
	if err != nil || !strings.HasPrefix(string(text), other+hidden) || strings.Count(string(text), "\n") != 4 {
		t.Errorf("%v\n%s", err, text)
	}
	if kept, err := l.trust.Of("dh8.corp.example", 22); len(kept) != 1 || err != nil {
		t.Errorf("%+v, %v", kept, err)
	}
	l.trust.File = write(t, filepath.Join(t.TempDir(), "known_hosts"), "dh1 ssh-ed25519 !!!\n", 0o600)
	_, err = l.client().Health(t.Context())
	wantKind(t, err, endpoint.HostKeyUnknown)
}

// rule 13.7: weak host keys are not trusted.
func TestAWeakHostKeyIsNotTrusted(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	l := newLab(t)
	l.ssh.NewHostKeys(t, rsaKey(t, 1024))
	_, err := l.trust.Trust(t.Context(), l.config(), l.ssh.Fingerprint())
	if e := wantKind(t, err, endpoint.HostKeyMismatch); !strings.Contains(e.Error(), "1024 bits is too weak") {
		t.Error(e)
	}
}

// rule 13.8.
func TestAKeyThatIsRefusedIsSaid(t *testing.T) {
	l := newLab(t)
	l.ssh.Refuse(t, true)
	_, err := l.client().Health(t.Context())
	e := wantKind(t, err, endpoint.LoginRefused)
	if !strings.Contains(e.Fix(), "administrators_authorized_keys") || e.Unsure() || l.ssh.Passwords() > 0 || l.ssh.Sessions() > 0 {
		t.Errorf("%v; %d passwords, %d sessions", e, l.ssh.Passwords(), l.ssh.Sessions())
	}
}

// rule 13.8: each key that is not used, with the fix, and nothing of it in the error.
func TestKeysThatAreNotUsed(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	t.Setenv("SSH_AUTH_SOCK", "")
	l := newLab(t)
	good, err := os.ReadFile(l.ssh.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	file := func(name, text string, mode os.FileMode) openssh.Key {
		return openssh.Key{File: write(t, filepath.Join(folder, name), text, mode)}
	}
	private := func(key crypto.Signer, passphrase string) string {
		block, err := ssh.MarshalPrivateKey(key, "")
		if passphrase != "" {
			block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
		}
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(block))
	}
	locked := private(sshtest.NewKey(t), "open sesame")
	wrong := file("locked2", locked, 0o600)
	wrong.Passphrase = write(t, filepath.Join(folder, "phrase"), "no\n", 0o600)
	open := file("locked3", locked, 0o600)
	open.Passphrase = write(t, filepath.Join(folder, "phrase2"), "open sesame\n", 0o644)
	for name, c := range map[string]struct {
		key  openssh.Key
		want string
	}{
		"missing":              {openssh.Key{File: filepath.Join(folder, "none")}, "no such file"},
		"readable by others":   {file("open", string(good), 0o644), "chmod go="},
		"writable by a group":  {file("group", string(good), 0o660), "chmod g"},
		"a public key":         {file("public", string(ssh.MarshalAuthorizedKey(l.ssh.Key.PublicKey())), 0o600), "holds no private key"},
		"garbage":              {file("garbage", "hunter2", 0o600), "holds no private key"},
		"weak":                 {file("weak", private(rsaKey(t, 1024), ""), 0o600), "1024 bits is too weak"},
		"locked":               {file("locked", locked, 0o600), "ssh.passphrase_file"},
		"locked otherwise":     {wrong, "does not open"},
		"a passphrase for all": {open, "chmod g"},
		"no agent":             {openssh.Key{Agent: true}, "SSH_AUTH_SOCK"},
	} {
		t.Run(name, func(t *testing.T) {
			before := l.ssh.Connections()
			_, err := l.client(func(o *openssh.Config) { o.Key = c.key }).Health(t.Context())
			e := wantKind(t, err, endpoint.BadKey)
			if !strings.Contains(e.Error(), c.want) || strings.Contains(e.Error(), "hunter2") || strings.Contains(e.Error(), "sesame") || !endpoint.Shut(e.Kind) {
				t.Errorf("%v, want %q in it", e, c.want)
			}
			if l.ssh.Connections() != before {
				t.Error("it connected")
			}
		})
	}
	for name, key := range map[string]openssh.Key{"of the group": file("service", string(good), 0o640), "read-only": file("ro", string(good), 0o400)} {
		if _, err := l.client(func(o *openssh.Config) { o.Key = key }).Health(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// rule 13.7: a server that has no key of the trusted kind any more shows another key.
func TestAHostKeyOfAnotherKindIsAnotherKey(t *testing.T) {
	l := newLab(t)
	old := l.ssh.Fingerprint()
	l.ssh.NewHostKeys(t, rsaKey(t, 2048))
	_, err := l.client().Health(t.Context())
	if e := wantKind(t, err, endpoint.HostKeyMismatch); !strings.Contains(e.Error(), old) || !strings.Contains(e.Error(), l.ssh.Fingerprint()) {
		t.Error(e)
	}
}

// rule 13.7: what is forgotten or replaced is not trusted by another line of the file.
func TestAnotherLineThatTrustsAHostIsTold(t *testing.T) {
	l := newLab(t)
	line := "[127.0.0.1]:" + portText(l) + ",dh1 " + string(ssh.MarshalAuthorizedKey(l.ssh.HostKey()))
	l.trust.File = write(t, filepath.Join(t.TempDir(), "known_hosts"), line, 0o600)
	if err := l.trust.Remove(l.ssh.Host, l.ssh.Port); err == nil || !strings.Contains(err.Error(), l.trust.File) {
		t.Errorf("removed: %v", err)
	}
	l.ssh.NewHostKeys(t)
	if _, err := l.trust.Trust(t.Context(), l.config(), l.ssh.Fingerprint()); err == nil || !strings.Contains(err.Error(), l.trust.File) {
		t.Errorf("replaced: %v", err)
	}
	l.trust.File = write(t, filepath.Join(t.TempDir(), "known_hosts"), "dh9 ssh-ed25519 !!!\n", 0o600)
	_, err := l.client().Health(t.Context())
	if e := wantKind(t, err, endpoint.HostKeyUnknown); !strings.Contains(e.Fix(), "correct or remove that line") {
		t.Error(e)
	}
}

// listening is an agent at SSH_AUTH_SOCK.
func listening(t *testing.T, serve func(net.Conn)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "agent")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				serve(conn)
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		work.Wait()
	})
	t.Setenv("SSH_AUTH_SOCK", path)
}

// rule 13.8: the keys of an agent, and an agent that does not answer.
func TestTheAgentSigns(t *testing.T) {
	l := newLab(t)
	ofAgent := func(c *openssh.Config) { c.Key, c.Timeout = openssh.Key{Agent: true}, 2*time.Second }
	ring := agent.NewKeyring()
	add := func(key any) {
		if err := ring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
			t.Fatal(err)
		}
	}
	listening(t, func(conn net.Conn) { _ = agent.ServeAgent(ring, conn) })
	_, err := l.client(ofAgent).Health(t.Context())
	if e := wantKind(t, err, endpoint.BadKey); !strings.Contains(e.Fix(), "ssh-add") {
		t.Error(e)
	}
	good := sshtest.NewKey(t)
	signer, err := ssh.NewSignerFromSigner(good)
	if err != nil {
		t.Fatal(err)
	}
	l.ssh.Authorize(t, signer.PublicKey())
	add(sshtest.NewKey(t))
	add(good)
	if _, err := l.client(ofAgent).Health(t.Context()); err != nil {
		t.Error(err)
	}
	if len(l.ssh.Strange()) > 0 {
		t.Errorf("asked for %q", l.ssh.Strange())
	}
	for range 8 {
		add(sshtest.NewKey(t))
	}
	l.ssh.Refuse(t, true)
	_, err = l.client(ofAgent).Health(t.Context())
	wantKind(t, err, endpoint.LoginRefused)

	listening(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	_, err = l.client(ofAgent).Health(t.Context())
	wantKind(t, err, endpoint.BadKey)
}

// rule 13.8: a group may read a key of root's, and of nobody else.
func TestAGroupReadsKeysOfRootOnly(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give a file away")
	}
	l := newLab(t)
	text, err := os.ReadFile(l.ssh.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, filepath.Join(t.TempDir(), "key"), string(text), 0o640)
	if err := os.Chown(path, 1234, 1234); err != nil {
		t.Fatal(err)
	}
	_, err = l.client(func(c *openssh.Config) { c.Key.File = path }).Health(t.Context())
	if e := wantKind(t, err, endpoint.BadKey); !strings.Contains(e.Error(), "chown root") {
		t.Error(e)
	}
}

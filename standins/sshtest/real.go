package sshtest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// daemon is Debian's sshd: one process for each connection, as inetd runs it, so that each is
// known by its id and reads its files anew.
type daemon struct {
	program string
	config  string // sshd_config
	bin     string // folder of powershell and pwsh
	control *control
	log     *os.File
}

// Real starts a server of Debian's sshd and ends it with the test. It needs INTEGRATION=1, root
// and the package openssh-server, or the test is skipped; with REQUIRE_INTEGRATION=1 it fails.
func Real(tb testing.TB, c Config) *Server {
	tb.Helper()
	if c.Windows == nil {
		tb.Fatal("sshtest: Config.Windows is missing")
	}
	return startReal(tb, c)
}

// RealJump is NewJump with Debian's sshd, on the conditions of Real.
func RealJump(tb testing.TB, c Config) *Server {
	tb.Helper()
	c.jump = true
	return startReal(tb, c)
}

func startReal(tb testing.TB, c Config) *Server {
	tb.Helper()
	program := findSSHD(tb)
	me, err := user.Current()
	if err != nil {
		tb.Fatal(err)
	}
	c.User = me.Username
	s := prepare(tb, c)
	s.real = &daemon{program: program, config: filepath.Join(s.folder, "sshd_config"), bin: filepath.Join(s.folder, "bin")}
	s.real.install(tb)
	s.real.control = newControl(tb, s)
	if s.real.log, err = os.Create(filepath.Join(s.folder, "log")); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = s.real.log.Close()
		if text, err := os.ReadFile(s.real.log.Name()); err == nil && tb.Failed() {
			tb.Logf("log of sshd:\n%s", text)
		}
	})
	s.rewrite(tb)
	s.gate.serve = s.serveReal
	s.listen(tb)
	return s
}

// findSSHD skips the test where sshd cannot run, and fails it where it has to.
func findSSHD(tb testing.TB) string {
	tb.Helper()
	if os.Getenv("INTEGRATION") != "1" {
		tb.Skip("INTEGRATION=1 runs it on a real sshd")
	}
	const program, separation = "/usr/sbin/sshd", "/run/sshd"
	missing := ""
	if _, err := os.Stat(program); err != nil {
		missing = program + " is not installed: apt-get install openssh-server"
	} else if err := os.MkdirAll(separation, 0o755); err != nil {
		missing = fmt.Sprintf("sshd needs the folder %s, and root can make it: %v", separation, err)
	}
	switch {
	case missing == "":
		return program
	case os.Getenv("REQUIRE_INTEGRATION") == "1":
		tb.Fatal(missing)
	default:
		tb.Skip(missing)
	}
	return ""
}

// built is the program powershell, built once for all servers of a test process.
var built = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "sshtest")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	path := filepath.Join(folder, "powershell")
	if out, err := exec.Command("go", "build", "-o", path, "github.com/coredhcp-netbox/coredhcp-netbox/standins/sshtest/powershell").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the stand-in of powershell: %w\n%s", err, out)
	}
	return os.ReadFile(path)
})

// install puts powershell and pwsh where sshd finds them.
func (d *daemon) install(tb testing.TB) {
	tb.Helper()
	program, err := built()
	if err == nil {
		err = os.MkdirAll(d.bin, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(d.bin, "powershell"), program, 0o755)
	}
	if err == nil {
		err = os.Symlink("powershell", filepath.Join(d.bin, "pwsh"))
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// rewrite writes the files that sshd reads at each connection. A server in-process has none.
func (s *Server) rewrite(tb testing.TB) {
	tb.Helper()
	if s.real == nil {
		return
	}
	options := "restrict"
	switch {
	case s.config.jump:
		options = "restrict,port-forwarding"
	case s.forced != "":
		options = fmt.Sprintf("restrict,command=%q", s.forced)
	}
	var authorized bytes.Buffer
	for _, key := range s.keys() {
		fmt.Fprintf(&authorized, "%s %s", options, ssh.MarshalAuthorizedKey(key))
	}
	if err := os.WriteFile(filepath.Join(s.folder, "authorized_keys"), authorized.Bytes(), 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(s.real.config, []byte(s.sshdConfig(tb)), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// sshdConfig writes the host keys, and gives the sshd_config that names them.
func (s *Server) sshdConfig(tb testing.TB) string {
	tb.Helper()
	var out strings.Builder
	s.mu.Lock()
	keys := s.config.HostKeys
	s.mu.Unlock()
	for i, key := range keys {
		path := filepath.Join(s.folder, fmt.Sprintf("host_key_%d", i))
		writeKey(tb, path, key)
		fmt.Fprintf(&out, "HostKey %s\n", path)
	}
	fmt.Fprintf(&out, "AuthorizedKeysFile %s\n", filepath.Join(s.folder, "authorized_keys"))
	// Only the first SetEnv counts. HOME keeps files of the user's shell out.
	fmt.Fprintf(&out, "SetEnv \"%s=%s\" \"PATH=%s:%s\" \"HOME=%s\"\n", ControlVariable, s.real.control.address(), s.real.bin, os.Getenv("PATH"), s.folder)
	if s.config.MaxSessions > 0 {
		fmt.Fprintf(&out, "MaxSessions %d\n", s.config.MaxSessions)
	}
	forwarding := "no"
	if s.config.jump {
		forwarding = "local\nPermitOpen 127.0.0.1:* localhost:*\nForceCommand /bin/false"
	}
	fmt.Fprintf(&out, "AllowTcpForwarding %s\n", forwarding)
	out.WriteString("StrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n" +
		"UseDNS no\nPidFile none\nX11Forwarding no\nAllowAgentForwarding no\nPrintMotd no\nLogLevel VERBOSE\n")
	return out.String()
}

// serveReal is one connection to sshd.
func (s *Server) serveReal(conn net.Conn) {
	near, far, err := pair()
	if err != nil {
		return
	}
	cmd := exec.Command(s.real.program, "-i", "-e", "-f", s.real.config)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = far, far, s.real.log
	err = cmd.Start()
	_ = far.Close()
	if err != nil {
		_ = near.Close()
		fmt.Fprintf(s.real.log, "start sshd: %v\n", err)
		return
	}
	var copies sync.WaitGroup
	for _, way := range [][2]net.Conn{{near, conn}, {conn, near}} {
		copies.Go(func() {
			_, _ = io.Copy(way[0], way[1]) // one side has gone
			_ = near.Close()
			_ = conn.Close()
		})
	}
	copies.Wait()
	// It ends with its connection.
	kill := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	_ = cmd.Wait()
}

// pair is a connection to itself; the far end is for another process.
func pair() (near net.Conn, far *os.File, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = listener.Close() }()
	if near, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		return nil, nil, err
	}
	accepted, err := listener.Accept()
	if err == nil && accepted.RemoteAddr().String() != near.LocalAddr().String() {
		err = fmt.Errorf("somebody else connected to %s", listener.Addr())
	}
	if err == nil {
		far, err = accepted.(*net.TCPConn).File()
	}
	if accepted != nil {
		_ = accepted.Close() // far is a copy of it
	}
	if err != nil {
		_ = near.Close()
	}
	return near, far, err
}

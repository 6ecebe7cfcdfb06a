package dnstest

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Knot starts a Knot DNS of this machine that ends with the test.
func Knot(t testing.TB, zones ...string) *Server {
	t.Helper()
	program := find(t, "knotd", "knot")
	folder := t.TempDir()
	s := newServer(free(t), zones)
	var conf strings.Builder
	fmt.Fprintf(&conf, "server:\n  rundir: %[1]q\n  listen: %[2]s@%[3]d\nlog:\n  - target: stderr\n    any: warning\ndatabase:\n  storage: %[1]q\n", folder, s.Addr.Addr(), s.Addr.Port())
	fmt.Fprintf(&conf, "key:\n  - id: %s\n    algorithm: %s\n    secret: %s\n", s.Key, s.Algorithm, s.Secret)
	fmt.Fprintf(&conf, "acl:\n  - id: dhcp\n    key: %s\n    action: update\nzone:\n", s.Key)
	for i, zone := range zones {
		fmt.Fprintf(&conf, "  - domain: %q\n    file: %q\n    acl: dhcp\n", dns.Fqdn(zone), zoneFile(t, folder, i, zone))
	}
	path := filepath.Join(folder, "knot.conf")
	write(t, path, conf.String())
	s.run(t, program, "-c", path)
	return s
}

// BIND starts a BIND of this machine that ends with the test.
func BIND(t testing.TB, zones ...string) *Server {
	t.Helper()
	program := find(t, "named", "bind9")
	folder := t.TempDir()
	s := newServer(free(t), zones)
	var conf strings.Builder
	fmt.Fprintf(&conf, "options { directory %[1]q; pid-file %[2]q; session-keyfile %[3]q; listen-on port %[4]d { %[5]s; }; listen-on-v6 { none; }; recursion no; dnssec-validation no; };\ncontrols { };\n",
		folder, filepath.Join(folder, "pid"), filepath.Join(folder, "session.key"), s.Addr.Port(), s.Addr.Addr())
	fmt.Fprintf(&conf, "key %q { algorithm %s; secret %q; };\n", s.Key, s.Algorithm, s.Secret)
	for i, zone := range zones {
		fmt.Fprintf(&conf, "zone %q { type primary; file %q; update-policy { grant %q zonesub A AAAA PTR DHCID; }; };\n", dns.Fqdn(zone), zoneFile(t, folder, i, zone), s.Key)
	}
	path := filepath.Join(folder, "named.conf")
	write(t, path, conf.String())
	s.run(t, program, "-g", "-n", "1", "-c", path)
	return s
}

// find skips the test where a program is not there, and fails it where it has to be.
func find(t testing.TB, program, packageName string) string {
	t.Helper()
	if os.Getenv("INTEGRATION") != "1" {
		t.Skip("INTEGRATION=1 runs it on a real " + program)
	}
	for _, folder := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/local/sbin") {
		if path, err := exec.LookPath(filepath.Join(folder, program)); err == nil {
			return path
		}
	}
	if os.Getenv("REQUIRE_INTEGRATION") == "1" {
		t.Fatalf("%s is not installed: apt-get install %s", program, packageName)
	}
	t.Skipf("%s is not installed: apt-get install %s", program, packageName)
	return ""
}

// free is a port of loopback that neither UDP nor TCP uses now.
func free(t testing.TB) netip.AddrPort {
	t.Helper()
	for range 100 {
		tcp, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		udp, err := net.ListenPacket("udp4", tcp.Addr().String())
		_ = tcp.Close()
		if err == nil {
			_ = udp.Close()
			return netip.MustParseAddrPort(tcp.Addr().String())
		}
	}
	t.Fatal("no port is free")
	return netip.AddrPort{}
}

func zoneFile(t testing.TB, folder string, i int, zone string) string {
	t.Helper()
	path := filepath.Join(folder, fmt.Sprintf("%d.zone", i))
	write(t, path, fmt.Sprintf("$ORIGIN %s\n@ 3600 IN SOA ns.invalid. hostmaster.invalid. 1 3600 600 86400 300\n@ 3600 IN NS ns.invalid.\n", dns.Fqdn(zone)))
	return path
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run starts the program and waits until it answers for its last zone.
func (s *Server) run(t testing.TB, program string, args ...string) {
	t.Helper()
	s.start = func() func() {
		log, err := os.OpenFile(filepath.Join(filepath.Dir(args[len(args)-1]), "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = log.Close() }()
		cmd := exec.Command(program, args...)
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = cmd.Wait() // it is told to end
		}()
		stop := func() {
			_ = cmd.Process.Signal(syscall.SIGTERM) // fails only if it has ended
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				_ = cmd.Process.Kill()
				<-ended
			}
		}
		last := s.Zones[len(s.Zones)-1]
		for deadline := time.Now().Add(20 * time.Second); len(s.Look(t, last, dns.TypeSOA)) == 0; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				stop()
				text, _ := os.ReadFile(log.Name())
				t.Fatalf("%s does not answer:\n%s", program, text)
			}
		}
		return stop
	}
	s.Start()
	t.Cleanup(s.Stop)
}

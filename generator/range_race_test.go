//go:build cgo && race

package main

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/relay"
)

// TestRangeInThePlaceOfNetBox builds a program with CoreDHCP's range plugin,
// which needs cgo (F-5), and runs it without netbox: range gives the address
// and nak refuses what range would overlook (K-4). It is built with the race
// detector as this test is, which shares its compiled packages; make race names it.
func TestRangeInThePlaceOfNetBox(t *testing.T) {
	dir := t.TempDir()
	checkout, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	list := write(t, filepath.Join(dir, "plugins.cfg"), `server_id:github.com/coredhcp/coredhcp/plugins/serverid
range:github.com/coredhcp/coredhcp/plugins/range
nak:github.com/coredhcp-netbox/coredhcp-netbox/plugins/nak
`)
	out := filepath.Join(dir, "custom")
	if code, _, stderr := generator(t, "--out", out, "--from", list, "--replace", "github.com/coredhcp-netbox/coredhcp-netbox="+checkout); code != 0 {
		t.Fatal(stderr)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-race", "-o", "custom", ".")
	build.Dir = out
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	const addr = "127.0.0.1:16767"
	conf := write(t, filepath.Join(dir, "config.yml"), `server4:
  listen: "`+addr+`"
  plugins:
    - server_id: 127.0.0.1
    - range: `+filepath.Join(dir, "leases.db")+` 10.77.0.100 10.77.0.110 1h
    - nak: authoritative
`)
	server := exec.CommandContext(t.Context(), filepath.Join(out, "custom"), "--conf", conf)
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	agent, err := relay.New(addr, netip.MustParseAddr("10.77.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = agent.Close() })
	client := []byte{0x52, 0x54, 0, 0, 0, 1}
	ack := acquireOnceUp(t, agent, client)
	if ack.MessageType() != dhcpv4.MessageTypeAck || !strings.HasPrefix(ack.YourIPAddr.String(), "10.77.0.1") {
		t.Errorf("range gave %s", ack.Summary())
	}
	reply, err := agent.Reclaim(client, netip.MustParseAddr("192.0.2.7").AsSlice())
	if err != nil || reply.MessageType() != dhcpv4.MessageTypeNak {
		t.Errorf("a wrong address is not refused: %v, %v", reply, err)
	}
}

// acquireOnceUp asks until the server answers.
func acquireOnceUp(t *testing.T, agent *relay.Agent, client []byte) *dhcpv4.DHCPv4 {
	t.Helper()
	for range 150 {
		ack, err := agent.Acquire(client)
		if err == nil {
			return ack
		}
		if !errors.Is(err, relay.ErrSilence) {
			<-time.After(100 * time.Millisecond) // refused: nothing listens there yet
		}
	}
	t.Fatal("the server does not answer")
	return nil
}

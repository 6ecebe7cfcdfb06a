package pxe_test

import (
	"bytes"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coredhcp/coredhcp/handler"
	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/dns"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/gateway"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/nak"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/pxe"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/boot/capture"
)

var update = flag.Bool("update", false, "write the answers in testdata anew")

// server is where the captured messages were answered.
func server() netip.Addr { return netip.AddrFrom4([4]byte{10, 60, 1, 1}) }

// TestCapturedFirmwareIsAnsweredAsItWas replays what real firmware asked when test/boot watched it,
// through the whole chain, and compares the answers byte by byte.
func TestCapturedFirmwareIsAnsweredAsItWas(t *testing.T) {
	handlers := chain(t)
	paths, err := filepath.Glob(filepath.Join("testdata", "*.pcap"))
	if err != nil || len(paths) < 6 {
		t.Fatalf("captures: %q, %v", paths, err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(path, ".pcap")
		t.Run(filepath.Base(name), func(t *testing.T) {
			seen, err := capture.Read(path)
			if err != nil {
				t.Fatal(err)
			}
			replayed := replay(t, handlers, seen)
			if *update {
				if err := capture.Write(path, replayed); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name+".txt", []byte(capture.Dump(replayed)), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if !slices.EqualFunc(seen, replayed, func(a, b capture.Message) bool { return bytes.Equal(a.Payload, b.Payload) }) {
				t.Errorf("the answers have changed (-as captured +now):\n%s", cmp.Diff(capture.Dump(seen), capture.Dump(replayed)))
			}
			dump, err := os.ReadFile(name + ".txt")
			if err != nil || string(dump) != capture.Dump(seen) {
				t.Errorf("%s.txt does not say what is in the capture (%v): go test ./plugins/pxe -update", name, err)
			}
		})
	}
}

// replay gives each answer of a conversation anew.
func replay(t *testing.T, handlers []handler.Handler4, seen []capture.Message) []capture.Message {
	t.Helper()
	var asked *capture.Message
	var messages []capture.Message
	for _, m := range seen {
		if !m.Reply() {
			if asked != nil {
				t.Errorf("no server answered %s", asked.DHCP.Summary())
			}
			asked = &m
			messages = append(messages, m)
			continue
		}
		if asked == nil {
			t.Fatalf("an answer without a question: %s", m.DHCP.Summary())
		}
		reply := answer(t, handlers, *asked)
		if reply == nil {
			t.Fatalf("no answer to %s", asked.DHCP.Summary())
		}
		now, err := m.With(reply.ToBytes())
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, now)
		asked = nil
	}
	return messages
}

// answer runs the chain on one message, as the receive loop does.
func answer(t *testing.T, handlers []handler.Handler4, m capture.Message) *dhcpv4.DHCPv4 {
	t.Helper()
	req, err := dhcpv4.FromBytes(m.Payload)
	if err != nil {
		t.Fatal(err)
	}
	resp := dhcp4test.Prepared(t, req)
	resp.ServerIPAddr = []byte{0, 0, 0, 0} // there is no server_id line
	resp.UpdateOption(dhcpv4.OptServerIdentifier(server().AsSlice()))
	in := dhcp4.Ingress{Interface: "eth0", Addrs: []netip.Addr{server()}, Source: m.From, Delivery: lease.DeliveryBroadcast}
	if m.To.Addr() == server() {
		in.Delivery = lease.DeliveryUnicast
	}
	instance.Default.Exchanges.Open(req, in)
	defer instance.Default.Exchanges.Close(req)
	for _, handle := range handlers {
		var stop bool
		if resp, stop = handle(req, resp); stop {
			break
		}
	}
	return resp
}

// chain is the plugins as a settings file loads them, on the inventory in testdata.
func chain(t *testing.T) []handler.Handler4 {
	t.Helper()
	inventory, err := filepath.Abs(filepath.Join("testdata", "inventory.yml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(conf, []byte("netbox: {inventory: "+inventory+", store: {path: state}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := instance.Default.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	var handlers []handler.Handler4
	for _, plugin := range []struct {
		setup func(args ...string) (handler.Handler4, error)
		args  []string
	}{
		{netbox.Plugin.Setup4, []string{conf}}, {gateway.Plugin.Setup4, nil}, {dns.Plugin.Setup4, nil}, {pxe.Plugin.Setup4, nil},
		{nak.Plugin.Setup4, []string{"authoritative"}},
	} {
		handle, err := plugin.setup(plugin.args...)
		if err != nil {
			t.Fatal(err)
		}
		handlers = append(handlers, handle)
	}
	return handlers
}

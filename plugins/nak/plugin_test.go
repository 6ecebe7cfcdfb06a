package nak

import (
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance/instancetest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

func wants(last byte) dhcpv4.Modifier { return dhcp4test.Raw(50, 10, 0, 0, last) }

// K-4
func TestNakFinishesARefusal(t *testing.T) {
	pool := new(instance.Pool)
	handle, err := setup(pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest, wants(9))
	x := pool.Exchanges.Open(req, dhcp4.Ingress{})
	defer pool.Exchanges.Close(req)
	x.Decided, x.Decision = true, lease.Decision{Verdict: lease.Nak, Reason: lease.ReasonTaken}
	resp := dhcp4test.Granted(t, req, "10.0.0.77/24")
	resp.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeNak))
	resp.UpdateOption(dhcpv4.OptDNS([]byte{10, 0, 0, 53}))
	got, stop := handle(req, resp)
	if got == nil || !stop {
		t.Fatalf("reply %v, stop %v", got, stop)
	}
	if len(got.Options) != 3 || got.Message() != "the address belongs to another client" || !got.YourIPAddr.IsUnspecified() {
		t.Errorf("refusal %s", got.Summary())
	}
}

// K-3, R-13
func TestNoRefusalWithoutAnIdentifier(t *testing.T) {
	handle, err := setup(new(instance.Pool), nil)
	if err != nil {
		t.Fatal(err)
	}
	req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest, wants(9))
	resp := dhcp4test.Granted(t, req, "10.0.0.77/24")
	resp.DeleteOption(dhcpv4.OptionServerIdentifier)
	if got, stop := handle(req, resp); got != nil || !stop {
		t.Errorf("reply %v, stop %v", got, stop)
	}
}

// K-4, docs/promises.md: chain with range instead of netbox, plus nak
func TestNakAfterAnotherLeasePlugin(t *testing.T) {
	tests := map[string]struct {
		args []string
		req  *dhcpv4.DHCPv4
		want dhcpv4.MessageType // of the reply; None: silence
	}{
		"an address it did not get": {nil, dhcp4test.Request(t, dhcpv4.MessageTypeRequest, wants(9)), dhcpv4.MessageTypeNak},
		"the address it got":        {nil, dhcp4test.Request(t, dhcpv4.MessageTypeRequest, wants(77)), dhcpv4.MessageTypeAck},
		"own: INIT-REBOOT":          {[]string{"own"}, dhcp4test.Request(t, dhcpv4.MessageTypeRequest, wants(9)), dhcpv4.MessageTypeNone},
		"off":                       {[]string{"off"}, dhcp4test.Request(t, dhcpv4.MessageTypeRequest, wants(9)), dhcpv4.MessageTypeAck},
		"DISCOVER":                  {nil, dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, wants(9)), dhcpv4.MessageTypeOffer},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			handle, err := setup(new(instance.Pool), tt.args)
			if err != nil {
				t.Fatal(err)
			}
			resp, stop := handle(tt.req, dhcp4test.Granted(t, tt.req, "10.0.0.77/24"))
			if tt.want == dhcpv4.MessageTypeNone {
				if resp != nil || !stop {
					t.Errorf("reply %v, stop %v, want silence", resp, stop)
				}
				return
			}
			if resp == nil || resp.MessageType() != tt.want {
				t.Errorf("reply %v, want %v", resp, tt.want)
			}
		})
	}
}

// K-4: what netbox answered is not judged again. An ACK may rightly grant what
// option 50 does not say.
func TestNakTrustsNetBox(t *testing.T) {
	pool := new(instance.Pool)
	handle, err := setup(pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest, wants(9))
	x := pool.Exchanges.Open(req, dhcp4.Ingress{})
	defer pool.Exchanges.Close(req)
	x.Decided, x.Decision = true, lease.Decision{Verdict: lease.Ack}
	if resp, stop := handle(req, dhcp4test.Granted(t, req, "10.0.0.77/24")); resp == nil || stop || resp.MessageType() != dhcpv4.MessageTypeAck {
		t.Errorf("reply %v, stop %v", resp, stop)
	}
}

// R-5, L-14
func TestNakTrimsForTheStockServer(t *testing.T) {
	handle, err := setup(new(instance.Pool), nil)
	if err != nil {
		t.Fatal(err)
	}
	req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover)
	resp := dhcp4test.Granted(t, req, "10.0.0.77/24")
	dhcp4test.Text(119, strings.Repeat("x", 300))(resp)
	dhcp4test.Text(15, "example.net")(resp)
	resp, _ = handle(req, resp)
	if resp.Options.Has(dhcpv4.OptionDNSDomainSearchList) || !resp.Options.Has(dhcpv4.OptionDomainName) {
		t.Errorf("options %v", resp.Options)
	}
	if n := len(resp.ToBytes()); n > 548 {
		t.Errorf("%d bytes", n)
	}
}

// K-5: with the engine's own words, end to end.
func TestSetupTellsTheEngine(t *testing.T) {
	for word, want := range map[string]lease.Verdict{"authoritative": lease.Nak, "own": lease.Silent, "off": lease.Silent} {
		t.Run(word, func(t *testing.T) {
			opened := instancetest.Open(t, "", "prefixes:\n  - prefix: 10.0.0.0/24\n")
			if _, err := setup(opened.Pool, []string{word}); err != nil {
				t.Fatal(err)
			}
			// D-7: INIT-REBOOT with an address outside N.
			req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest, dhcp4test.Raw(50, 192, 168, 1, 1), dhcp4test.Relayed("10.0.0.1"))
			resp := dhcp4test.Prepared(t, req)
			d, err := opened.Engine.Handle(t.Context(), dhcp4.ParseRequest(dhcp4.Of(req), dhcp4.Of(resp), dhcp4.Ingress{}, true), nil)
			if err != nil || d.Verdict != want {
				t.Errorf("verdict %v (%v), want %v", d.Verdict, err, want)
			}
		})
	}
}

func TestSetup(t *testing.T) {
	opened := instancetest.Open(t, "", "prefixes:\n  - prefix: 10.0.0.0/24\n")
	for _, args := range [][]string{nil, {"own"}, {opened.Path}, {opened.Path, "off"}} {
		if _, err := setup(opened.Pool, args); err != nil {
			t.Errorf("%q: %v", args, err)
		}
	}
	for _, args := range [][]string{{"maybe"}, {"own", "off"}, {"Authoritative "}} {
		if _, err := setup(opened.Pool, args); err == nil {
			t.Errorf("%q accepted", args)
		}
	}
	if Plugin.Name != "nak" || Plugin.Setup4 == nil || Plugin.Setup6 != nil {
		t.Errorf("plugin %+v", Plugin)
	}
}

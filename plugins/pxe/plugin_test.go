package pxe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance/instancetest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/stock"
)

const inventory = `
sites:
  - name: lab
prefixes:
  - prefix: 10.0.0.0/24
    site: lab
devices:
  - name: web1
    site: lab
    interfaces:
      - name: eth0
        mac_address: "02:AB:00:00:00:01"
  - name: closed
    site: lab
    custom_fields: {redeploy: false, confirm_redeploy: closed}
    interfaces:
      - name: eth0
        mac_address: "02:AB:00:00:00:02"
  - name: open
    site: lab
    custom_fields: {redeploy: true, confirm_redeploy: open}
    interfaces:
      - name: eth0
        mac_address: "02:AB:00:00:00:03"
  - name: renamed
    site: lab
    custom_fields: {redeploy: true, confirm_redeploy: its old name}
    interfaces:
      - name: eth0
        mac_address: "02:AB:00:00:00:04"
virtual_machines:
  - name: vm1
    site: lab
    interfaces:
      - name: eth0
        mac_address: "02:AB:00:00:00:05"
config_contexts:
  - name: lab
    sites: [lab]
    data:
      pydhcp_configuration:
        tftp_server: 10.0.0.66
        pxe_boot_file: pxelinux.0
        http_boot_url: http://boot.example.net/grub.efi
`

func mac(last byte) dhcpv4.Modifier {
	return dhcpv4.WithHwAddr([]byte{0x02, 0xab, 0, 0, 0, last})
}

func TestWhoGetsBootData(t *testing.T) {
	tests := map[string]struct {
		settings string
		mac      byte
		want     bool
	}{
		"X-3 a device":                                {"", 1, true},
		"X-3 a virtual machine":                       {"", 5, true},
		"X-3 an unknown client":                       {"", 9, false},
		"X-3 an unknown client where the site counts": {"pxe: {unknown: site}", 9, true},
		"X-15 switched off":                           {"", 2, false},
		"X-15 switched on and confirmed":              {"", 3, true},
		"X-15 confirmed for another name":             {"", 4, false},
		"X-15 gate off":                               {"pxe: {gate: 'off'}", 2, true},
		"X-15 gate on, without the fields":            {"pxe: {gate: 'on'}", 1, false},
		"X-15 gate on, switched on":                   {"pxe: {gate: 'on'}", 3, true},
		"X-15 gate on, an unknown client":             {"pxe: {gate: 'on', unknown: site}", 9, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			opened := instancetest.Open(t, tt.settings, inventory)
			handle, err := setup(opened.Pool, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, kind := range []dhcpv4.MessageType{dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeRequest} {
				req := dhcp4test.Request(t, kind, append(firmware("a BIOS network card"), mac(tt.mac))...)
				resp, stop := handle(req, dhcp4test.Granted(t, req, "10.0.0.77/24"))
				if resp == nil || stop {
					t.Fatalf("%v: reply %v, stop %v", kind, resp, stop)
				}
				if got := resp.BootFileName == "pxelinux.0"; got != tt.want {
					t.Errorf("%v: boot file %q, want one: %v", kind, resp.BootFileName, tt.want)
				}
				if !tt.want && resp.ServerIPAddr.String() != "10.0.0.2" {
					t.Errorf("%v: siaddr %v without boot data", kind, resp.ServerIPAddr)
				}
			}
		})
	}
}

//
func TestTheSwitchMayHaveOtherNames(t *testing.T) {
	renamed := strings.NewReplacer("confirm_redeploy:", "sure:", "redeploy:", "reinstall:").Replace(inventory)
	opened := instancetest.Open(t, "pxe: {redeploy_field: reinstall, confirm_field: sure}", renamed)
	handle, err := setup(opened.Pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	for last, want := range map[byte]bool{2: false, 3: true} {
		req := request(t, "a BIOS network card", mac(last))
		resp, _ := handle(req, dhcp4test.Granted(t, req, "10.0.0.77/24"))
		if got := resp.BootFileName != ""; got != want {
			t.Errorf("machine %d: boot data %v, want %v", last, got, want)
		}
	}
}

// a switch that is off and one that cannot be read are told apart.
func TestTheLineSaysWhetherTheSwitchIsOffOrUnreadable(t *testing.T) {
	opened := instancetest.Open(t, "", inventory)
	var trouble error
	h := &handler{Instance: opened.Instance, redeploy: func(ctx context.Context, m *ipam.Machine) (bool, error) {
		if trouble != nil {
			return false, trouble
		}
		return opened.Redeploy(ctx, m)
	}}
	handle := opened.Pool.Handler(stock.Plugin{Name: "netbox_pxe", Log: opened.Quiet}, h.handle4)
	line := func(last byte) string {
		req := request(t, "a BIOS network card", mac(last))
		if resp, _ := handle(req, dhcp4test.Granted(t, req, "10.0.0.77/24")); resp.BootFileName != "" {
			t.Errorf("machine %d: boot data", last)
		}
		e := opened.Logs.LastEntry()
		return fmt.Sprint(e.Level, " ", e.Data["reason"], " ", e.Data["error"])
	}
	if got := line(2); got != "info the redeploy switch is off <nil>" {
		t.Errorf("switched off: %q", got)
	}
	trouble = errors.New("NetBox answered 403")
	if got := line(3); got != "warning the redeploy switch could not be read from NetBox NetBox answered 403" {
		t.Errorf("unreadable: %q", got)
	}
}

// WEB-7: what the page explains goes by the switch in memory, and NetBox is not asked.
func TestAnExplanationOnThePageAsksNobody(t *testing.T) {
	opened := instancetest.Open(t, "", inventory)
	h := &handler{Instance: opened.Instance, redeploy: func(context.Context, *ipam.Machine) (bool, error) {
		t.Error("NetBox is asked")
		return false, nil
	}}
	for last, want := range map[byte]bool{1: true, 2: false, 3: true, 4: false, 5: true} {
		req := request(t, "a BIOS network card", mac(last))
		x := &dhcp4.Exchange{Rehearsal: true, FromMemory: true}
		resp, _ := h.handle4(x, dhcp4.Of(req), dhcp4.Of(dhcp4test.Granted(t, req, "10.0.0.77/24")))
		if got := resp.BootFileName != ""; got != want {
			t.Errorf("machine %d: boot data %v, want %v", last, got, want)
		}
	}
}

//
func TestAMissingFileIsOneLogLineAndNoHarm(t *testing.T) {
	opened := instancetest.Open(t, "", inventory)
	handle, err := setup(opened.Pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	opened.Logs.Reset()
	for range 3 {
		req := request(t, "edk2 by TFTP")
		resp, _ := handle(req, dhcp4test.Granted(t, req, "10.0.0.77/24"))
		for _, code := range []uint8{43, 60, 66, 67, 97} {
			if _, ok := resp.Options[code]; ok {
				t.Errorf("option %d without boot data", code)
			}
		}
	}
	lines := opened.Logs.AllEntries()
	if len(lines) != 1 || lines[0].Data["reason"] != string(noFile) || lines[0].Data["machine"] != "web1" {
		t.Errorf("log %v", lines)
	}
}

//
func TestAHostNameInTheURLWithoutResolverIsLogged(t *testing.T) {
	opened := instancetest.Open(t, "", inventory)
	handle, err := setup(opened.Pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	opened.Logs.Reset()
	req := request(t, "edk2 by HTTP")
	resp := dhcp4test.Granted(t, req, "10.0.0.77/24")
	resp.UpdateOption(dhcpv4.OptDNS([]byte{10, 0, 0, 53}))
	if handle(req, resp); len(opened.Messages()) != 0 {
		t.Errorf("with a resolver: %q", opened.Messages())
	}
	if handle(req, dhcp4test.Granted(t, req, "10.0.0.77/24")); len(opened.Messages()) != 1 {
		t.Errorf("without a resolver: %q", opened.Messages())
	}
}

// L-6
func TestForgedSourcesAreAvoidedOnTheStockServerOnly(t *testing.T) {
	opened := instancetest.Open(t, "", inventory)
	handle, err := setup(opened.Pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	stock := request(t, "a BIOS network card")
	if handle(stock, dhcp4test.Granted(t, stock, "10.0.0.77/24")); !stock.IsBroadcast() {
		t.Error("stock: the frame would leave with the address of the TFTP server")
	}
	named := request(t, "a BIOS network card")
	resp := dhcp4test.Granted(t, named, "10.0.0.77/24")
	resp.ServerIPAddr = []byte{10, 0, 0, 66}
	if handle(named, resp); !named.IsBroadcast() {
		t.Error("stock: an earlier plugin had named the same TFTP server, and the frame would leave with its address")
	}
	own := request(t, "a BIOS network card")
	opened.Pool.Exchanges.Open(own, dhcp4.Ingress{Interface: "eth0", Delivery: lease.DeliveryBroadcast})
	defer opened.Pool.Exchanges.Close(own)
	if handle(own, dhcp4test.Granted(t, own, "10.0.0.77/24")); own.IsBroadcast() {
		t.Error("own receive loop: broadcast without need")
	}
}

func TestHandlerPassesOtherRepliesUntouched(t *testing.T) {
	opened := instancetest.Open(t, "", inventory)
	handle, err := setup(opened.Pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest, firmware("a BIOS network card")...)
	nak := dhcp4test.Granted(t, req, "10.0.0.77/24")
	nak.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeNak))
	if resp, stop := handle(req, nak); resp != nak || stop || resp.BootFileName != "" {
		t.Errorf("NAK: %v, stop %v", resp, stop)
	}
	if resp, stop := handle(req, nil); resp != nil || !stop { // B-5
		t.Errorf("no reply: %v, stop %v", resp, stop)
	}
	away := dhcp4test.Granted(t, req, "172.16.0.5/24")
	if resp, stop := handle(req, away); resp != away || stop || resp.BootFileName != "" {
		t.Errorf("no prefix: %v, stop %v", resp, stop)
	}
	phone := request(t, "a phone")
	if resp, _ := handle(phone, dhcp4test.Granted(t, phone, "10.0.0.77/24")); resp.BootFileName != "" {
		t.Errorf("X-2 no architecture: file %q", resp.BootFileName)
	}
}

func TestSetup(t *testing.T) {
	opened := instancetest.Open(t, "", inventory)
	if _, err := setup(opened.Pool, []string{opened.Path}); err != nil {
		t.Errorf("with the path: %v", err)
	}
	if _, err := setup(opened.Pool, []string{"a", "b"}); err == nil {
		t.Error("arguments accepted")
	}
	if _, err := setup(new(instance.Pool), nil); err == nil {
		t.Error("set up without an instance")
	}
	if Plugin.Name != "netbox_pxe" || Plugin.Setup4 == nil || Plugin.Setup6 != nil {
		t.Errorf("plugin %+v", Plugin)
	}
}

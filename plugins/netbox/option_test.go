package netbox

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/option"
)

// phones has contexts for a site, for prefixes with a tag, and of a machine.
const phones = `
sites: [{name: lab}]
prefixes:
  - {prefix: 10.0.0.0/24, site: lab, tags: [voice]}
  - {prefix: 10.0.1.0/24, site: lab}
ip_addresses:
  - {address: 10.0.0.100-10.0.0.120/24, tags: [DHCP]}
config_contexts:
  - name: lab
    sites: [lab]
    weight: 500
    data: {pydhcp_configuration: {options: {server-name: lab, netbios-node-type: 8, wpad: {value: "http://wpad", force: true}}}}
  - name: voice
    tags: [voice]
    data:
      pydhcp_configuration:
        options: {"66": tftp.voice}
        vendor_classes:
          Cisco Systems, Inc. IP Phone: {options: {tftp-server-address: [10.0.9.1, 10.0.9.2]}}
          yealink: {options: {"66": "https://yealink", "43": {"1": "https://acs", "2": {address: 10.0.9.3}}}}
devices:
  - name: web1
    site: lab
    config_context: {pydhcp_configuration: {options: {"66": own, "67": file}}}
    interfaces: [{name: eth0, mac_address: "02:ab:00:00:00:01", ip_addresses: [{address: 10.0.0.10/24}]}]
`

// OPT-7, OPT-8, OPT-11, CTX-2: from the contexts of an inventory to the bytes of a
// reply.
func TestOptionsOfContextsReachTheWire(t *testing.T) {
	const wpad = "fc0b687474703a2f2f77706164"
	asks := func(codes ...byte) dhcpv4.Modifier { return dhcp4test.Raw(55, codes...) }
	for name, c := range map[string]struct {
		kind dhcpv4.MessageType
		mods []dhcpv4.Modifier
		want []string // options on the wire, in hex
		not  []byte   // codes that are not there
	}{
		"a phone of Cisco":               {dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{stranger(1), asks(1, 66, 6, 3, 15, 150, 35), dhcp4test.Text(60, "Cisco Systems, Inc. IP Phone CP-7911G\x00")}, []string{"420a746674702e766f696365", "96080a0009010a000902", wpad}, []byte{43, 46, 67}},
		"a phone of Yealink":             {dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{stranger(2), asks(43, 66, 150), dhcp4test.Text(60, "yealink")}, []string{"420f68747470733a2f2f7965616c696e6b", "2b13010b68747470733a2f2f61637302040a000903", wpad}, []byte{150, 46}},
		"a Windows machine":              {dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{stranger(3), asks(1, 46, 252), dhcp4test.Text(60, "MSFT 5.0")}, []string{"2e0108", wpad}, []byte{66, 150}},
		"without option 55":              {dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{stranger(4)}, []string{wpad}, []byte{66, 46}},
		"a machine by its own context":   {dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{asks(66, 67, 46)}, []string{"42036f776e", "430466696c65", "2e0108", wpad}, nil},
		"INFORM":                         {dhcpv4.MessageTypeInform, []dhcpv4.Modifier{stranger(5), asks(66), dhcp4test.ClientAddr("10.0.0.50")}, []string{"420a746674702e766f696365", wpad}, []byte{46}},
		"INFORM in a prefix without tag": {dhcpv4.MessageTypeInform, []dhcpv4.Modifier{stranger(5), asks(66), dhcp4test.ClientAddr("10.0.1.50")}, []string{"42036c6162", wpad}, []byte{46}},
		"BOOTP":                          {dhcpv4.MessageTypeNone, nil, []string{wpad}, []byte{66, 67}},
		"a boot client":                  {dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{asks(43, 46, 60, 66, 67), dhcp4test.Text(60, "PXEClient:Arch:00007:UNDI:003000")}, []string{"2e0108", wpad}, []byte{43, 60, 66, 67}},
	} {
		t.Run(name, func(t *testing.T) {
			o, h := newHandlerOn(t, "", phones)
			for _, stock := range []bool{false, true} {
				req := dhcp4test.Request(t, c.kind, c.mods...)
				if !stock {
					o.Pool.Exchanges.Open(req, dhcp4.Ingress{})
					defer o.Pool.Exchanges.Close(req)
				}
				resp, _ := h(req, dhcp4test.Prepared(t, req))
				if resp == nil {
					t.Fatalf("no reply: %q", o.Messages())
				}
				wire := hex.EncodeToString(dhcp4.AppendMessage(nil, dhcp4.Of(resp)))
				for _, want := range c.want {
					if !strings.Contains(wire, want) {
						t.Errorf("stock %v: %s lacks %s", stock, wire[480:], want)
					}
				}
				for _, code := range c.not {
					if _, sent := resp.Options[code]; sent {
						t.Errorf("stock %v: option %d is sent", stock, code)
					}
				}
			}
		})
	}
}

// OPT-12: an ACK counts for a class, an OFFER does not, nor what explain asks.
func TestAnAckCountsForItsClass(t *testing.T) {
	o, h := newHandlerOn(t, "", phones)
	class := dhcp4test.Text(60, "yealink")
	send := func(kind dhcpv4.MessageType, rehearsal bool, mods ...dhcpv4.Modifier) {
		req := dhcp4test.Request(t, kind, append(mods, class)...)
		o.Pool.Exchanges.Open(req, dhcp4.Ingress{}).Rehearsal = rehearsal
		defer o.Pool.Exchanges.Close(req)
		if resp, _ := h(req, dhcp4test.Prepared(t, req)); resp == nil {
			t.Fatalf("no reply: %q", o.Messages())
		}
	}
	ask := dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress([]byte{10, 0, 0, 10}))
	send(dhcpv4.MessageTypeDiscover, false)
	send(dhcpv4.MessageTypeRequest, true, ask)
	o.WriteClasses()
	if got := seenClasses(t, o.Instance); len(got) != 0 {
		t.Errorf("%q matched", got)
	}
	send(dhcpv4.MessageTypeRequest, false, ask)
	o.WriteClasses()
	if got, want := seenClasses(t, o.Instance), []string{`vendor_classes "yealink"`}; !slices.Equal(got, want) {
		t.Errorf("%q matched, want %q", got, want)
	}
}

// seenClasses lists the classes of the file that matched a client.
func seenClasses(t *testing.T, i *instance.Instance) (names []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(i.Settings.Store.Path, "classes.json"))
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Classes map[string]struct{ Last string }
	}
	if err := json.Unmarshal(text, &f); err != nil || len(f.Classes) != 2 {
		t.Fatalf("%s: %v", text, err)
	}
	for name, c := range f.Classes {
		if c.Last != "" {
			names = append(names, name)
		}
	}
	return names
}

// OPT-14: the class of a message on the wire chooses the pool.
func TestAClassOnTheWireChoosesThePool(t *testing.T) {
	_, h := newHandlerOn(t, "", `
tags: [{name: voice}]
prefixes: [{prefix: 10.0.0.0/24}]
ip_addresses:
  - {address: 10.0.0.100/24, tags: [DHCP]}
  - {address: 10.0.0.101/24, tags: [DHCP, voice]}
config_contexts: [{name: all, data: {pydhcp_configuration: {vendor_classes: {yealink: {pool_tag: voice}}}}}]
`)
	for i, c := range []struct{ class, want string }{{"yealink", "10.0.0.101"}, {"MSFT 5.0", "10.0.0.100"}} {
		req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, stranger(byte(i)), dhcp4test.Text(60, c.class))
		if resp, _ := h(req, dhcp4test.Prepared(t, req)); resp == nil || resp.YourIPAddr.String() != c.want {
			t.Errorf("%s: %v, want %s", c.class, resp, c.want)
		}
	}
}

// OPT-9: explain says what a boot client is not given.
func TestExplainNamesWhatIsKeptFromABootClient(t *testing.T) {
	o, h := newHandlerOn(t, "", phones)
	req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, dhcp4test.Raw(55, 66, 67), dhcp4test.Text(60, "PXEClient"))
	x := o.Pool.Exchanges.Open(req, dhcp4.Ingress{})
	defer o.Pool.Exchanges.Close(req)
	x.Rehearsal, x.Trace = true, new(lease.Trace)
	if resp, _ := h(req, dhcp4test.Prepared(t, req)); resp == nil {
		t.Fatal("no reply")
	}
	last := x.Trace.Steps[len(x.Trace.Steps)-1]
	if diff := cmp.Diff(lease.Step{Rule: "OPT-9", Text: "a boot client gets the options [66 67] of config contexts from netbox_pxe only"}, last); diff != "" {
		t.Error(diff)
	}
	var sources bytes.Buffer
	for _, s := range x.Sources {
		sources.WriteString(s.Text + "\n")
	}
	if !strings.Contains(sources.String(), "IP address 10.0.0.10/24") {
		t.Errorf("sources %q", sources.String())
	}
}

// OPT-1, OPT-2: the contexts of the README have no mistake.
func TestTheContextsInTheReadme(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	classes := 0
	for _, block := range strings.Split(string(page), "```json\n")[1:] {
		text, _, _ := strings.Cut(block, "```")
		var data map[string]any
		if err := json.Unmarshal([]byte(text), &data); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		set, findings := option.Compile([]option.Layer{{Source: "README", Data: data}})
		if len(findings) != 0 {
			t.Errorf("%+v", findings)
		}
		classes += len(set.Classes())
	}
	if classes < 3 {
		t.Errorf("the README shows %d classes", classes)
	}
}

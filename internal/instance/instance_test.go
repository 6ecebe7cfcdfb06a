package instance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus/hooks/test"
	"go.uber.org/goleak"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/stock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// settingsFile writes settings and an inventory with one network and returns
// the settings' path.
func settingsFile(t *testing.T, network string) string {
	t.Helper()
	dir := t.TempDir()
	base := strings.TrimSuffix(network, "0/24")
	files := map[string]string{
		"config.yml": "server4:\n  listen: \"127.0.0.1:6767\"\n  plugins:\n    - netbox:\nnetbox:\n  inventory: inventory.yml\n  store:\n    path: state\n",
		"inventory.yml": fmt.Sprintf(`prefixes: [{prefix: %[1]s}]
ip_addresses:
  - {address: %[2]s1/24, tags: [Gateway]}
  - {address: %[2]s100-%[2]s110/24, tags: [DHCP]}
devices:
  - name: web1
    config_context: {pydhcp_configuration: {domain_name: web.example.org}}
    interfaces: [{name: eth0, mac_address: "02:ab:00:00:00:01", ip_addresses: [{address: %[2]s10/24}]}]
`, network, base),
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "config.yml")
}

func newPool(t *testing.T) *Pool {
	t.Helper()
	t.TempDir() // is removed once all instances are closed
	p := new(Pool)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestPluginsOfOneFileShareAnInstanceAndThoseOfTwoFilesDoNot(t *testing.T) {
	log, _ := test.NewNullLogger()
	p, a, b := newPool(t), settingsFile(t, "10.1.0.0/24"), settingsFile(t, "10.2.0.0/24")
	if err := p.UseFile(a); err != nil {
		t.Fatal(err)
	}
	first, err := p.Join("", log)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := p.Join(a, log); err != nil || again != first {
		t.Errorf("the same file gives another instance: %v", err)
	}
	second, err := p.Join(b, log)
	if err != nil {
		t.Fatal(err)
	}
	for i, in := range map[*Instance]string{first: "10.1.0.1", second: "10.2.0.1"} {
		if _, err := i.Snapshot().Subnet(netip.MustParseAddr(in)); err != nil {
			t.Errorf("%s: %v", in, err)
		}
	}
	if _, err := first.Snapshot().Subnet(netip.MustParseAddr("10.2.0.1")); err == nil {
		t.Error("one instance knows the other's network")
	}
}

func TestJoiningWithoutAFileSaysWhatToWrite(t *testing.T) {
	log, _ := test.NewNullLogger()
	p := newPool(t)
	if _, err := p.Join("", log); err == nil || !strings.Contains(err.Error(), "- netbox: /") {
		t.Errorf("nothing open: %v", err)
	}
	if i, err := p.Joined(""); i != nil || err != nil {
		t.Errorf("nothing open, nothing needed: %v, %v", i, err)
	}
	stock := func(network string) string {
		path := settingsFile(t, network)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		own := strings.Replace(string(text), "- netbox:", "- server_id: 10.0.0.2\n    - netbox: "+path, 1)
		if err := os.WriteFile(path, []byte(own), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	one, err := p.Join(stock("10.1.0.0/24"), log)
	if err != nil {
		t.Fatal(err)
	}
	if i, err := p.Join("", log); err != nil || i != one {
		t.Errorf("the only open instance is not found: %v", err)
	}
	if _, err := p.Join(stock("10.2.0.0/24"), log); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Join("", log); err == nil || !strings.Contains(err.Error(), "several settings files") {
		t.Errorf("two open: %v", err)
	}
}

func TestARehearsalReadsTheStoreAndWritesNothing(t *testing.T) {
	log, _ := test.NewNullLogger()
	path := settingsFile(t, "10.1.0.0/24")
	m := lease.ClientMessage{
		Type: lease.Request, Client: "52:54:00:00:00:09", MAC: ipam.MAC{0x52, 0x54, 0, 0, 0, 9}, HasMAC: true,
		Relay: netip.MustParseAddr("10.1.0.1"), Identifier: netip.MustParseAddr("10.1.0.2"),
		ServerID: netip.MustParseAddr("10.1.0.2"), RequestedAddr: netip.MustParseAddr("10.1.0.105"),
	}
	serve := newPool(t)
	if _, err := serve.Join(path, log); err == nil {
		t.Fatal("a file without a path for netbox was taken for a stock build's")
	}
	if err := serve.UseFile(path); err != nil {
		t.Fatal(err)
	}
	i, err := serve.Join("", log)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := i.Engine.Handle(t.Context(), m, nil); err != nil || d.Verdict != lease.Ack {
		t.Fatalf("%v, %v", d, err)
	}
	if err := serve.Close(); err != nil {
		t.Fatal(err)
	}
	rehearsal := newPool(t)
	rehearsal.Rehearse = true
	if err := rehearsal.UseFile(path); err != nil {
		t.Fatal(err)
	}
	r, err := rehearsal.Join("", log)
	if err != nil {
		t.Fatal(err)
	}
	if answered, err := r.engineConfig().Probe(t.Context(), netip.MustParseAddr("127.0.0.1"), time.Second); answered || err != nil {
		t.Errorf("a rehearsal sent an echo request: answered %v, %v", answered, err)
	}
	m.Type, m.ServerID, m.RequestedAddr = lease.Discover, netip.Addr{}, netip.Addr{}
	if d, err := r.Engine.Handle(t.Context(), m, nil); err != nil || d.Addr.Addr() != netip.MustParseAddr("10.1.0.105") || d.Reason != lease.ReasonBound {
		t.Errorf("the rehearsal does not know the lease: %+v, %v", d, err)
	}
}

func TestFactsAfterAnotherLeasePlugin(t *testing.T) { // G-1, I-4
	log, _ := test.NewNullLogger()
	p, path := newPool(t), settingsFile(t, "10.1.0.0/24")
	if err := p.UseFile(path); err != nil {
		t.Fatal(err)
	}
	i, err := p.Join("", log)
	if err != nil {
		t.Fatal(err)
	}
	req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover)
	resp := dhcp4test.Prepared(t, req)
	x := p.Exchanges.Open(req, dhcp4.Ingress{})
	defer p.Exchanges.Close(req)
	if f := i.Facts(x, dhcp4.Of(req), dhcp4.Of(resp)); f.Known || f.Gateways() != nil {
		t.Errorf("facts without an address: %+v", f)
	}
	resp.YourIPAddr = netip.MustParseAddr("10.1.0.77").AsSlice()
	f := i.Facts(x, dhcp4.Of(req), dhcp4.Of(resp))
	if !f.Known || f.Machine == nil || f.Machine.Name != "web1" || f.Config.DomainName != "web.example.org" || len(f.Gateways()) != 1 {
		t.Errorf("facts from yiaddr: %+v", f)
	}
	x.Decided = true
	if f := i.Facts(x, dhcp4.Of(req), dhcp4.Of(resp)); f.Known {
		t.Errorf("a decision without network gives facts: %+v", f)
	}
}

func TestRedeploySwitch(t *testing.T) {
	log, _ := test.NewNullLogger()
	p, path := newPool(t), settingsFile(t, "10.1.0.0/24")
	if err := p.UseFile(path); err != nil {
		t.Fatal(err)
	}
	i, err := p.Join("", log)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, gate        string
		redeploy, confirm string // JSON; empty: no such field
		want              bool
	}{
		{"no field, no gate", "auto", "", "", true},
		{"switched on", "auto", "true", "", true},
		{"switched off", "auto", "false", "", false},
		{"never set", "auto", "null", "", false},
		{"a selection of 4.7", "auto", `{"value":"yes","label":"Yes"}`, "", true},
		{"a selection before 4.7", "auto", `"1"`, "", true},
		{"another selection", "auto", `"no"`, "", false},
		{"confirmed by name", "auto", "true", `"web1"`, true},
		{"confirmed for another machine", "auto", "true", `"web2"`, false},
		{"not confirmed", "auto", "true", "null", false},
		{"only the confirmation exists", "auto", "", `"web1"`, true},
		{"both are required", "on", "true", "", false},
		{"both are there", "on", "true", `"web1"`, true},
		{"ignored", "off", "false", `"web2"`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := &Instance{Settings: i.Settings} // those of an instance that runs do not change
			i.Settings.PXE.Gate = c.gate
			m := &ipam.Machine{Name: "web1", Gate: map[string]json.RawMessage{}}
			for field, value := range map[string]string{i.Settings.PXE.RedeployField: c.redeploy, i.Settings.PXE.ConfirmField: c.confirm} {
				if value != "" {
					m.Gate[field] = json.RawMessage(value)
				}
			}
			if got, err := i.Redeploy(t.Context(), m); err != nil || got != c.want {
				t.Errorf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}
}

// no answer of NetBox is told as such, and is no boot data.
func TestASwitchThatCannotBeReadIsAnError(t *testing.T) {
	netbox := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
	}))
	defer netbox.Close()
	log, _ := test.NewNullLogger()
	client, err := Client(settings.NetBox{URL: netbox.URL, EnvToken: "0123456789abcdef0123456789abcdef01234567", Timeout: 10 * time.Second}, log)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	i := &Instance{client: client, Settings: settings.NetBox{PXE: settings.PXE{Gate: "auto", RedeployField: "redeploy", ConfirmField: "confirm"}}}
	i.readSwitches()
	m := &ipam.Machine{Name: "web1", Gate: map[string]json.RawMessage{"redeploy": json.RawMessage("true")}}
	if on, err := i.Redeploy(t.Context(), m); on || err == nil {
		t.Errorf("on %v, %v; want an error", on, err)
	}
}

func TestAReplyTakenAwayEndsTheChain(t *testing.T) { // B-5
	log, _ := test.NewNullLogger()
	limited := quiet.New(log, time.Minute, time.Now)
	for name, p := range map[string]*Pool{"stock": new(Pool), "own receive loop": {loaded: "/etc/config.yml"}} {
		req, resp := new(dhcpv4.DHCPv4), new(dhcpv4.DHCPv4)
		called := false
		pass := p.Handler(stock.Plugin{Name: "netbox_dns", Log: limited}, func(_ *dhcp4.Exchange, _, resp *dhcp4.Packet) (*dhcp4.Packet, bool) {
			called = true
			return resp, false
		})
		if got, stop := pass(req, nil); got != nil || !stop || called {
			t.Errorf("%s: without a reply: %v, stop %v, called %v", name, got, stop, called)
		}
		if got, stop := pass(req, resp); got != resp || stop || !called {
			t.Errorf("%s: with a reply: %v, stop %v, called %v", name, got, stop, called)
		}
	}
}

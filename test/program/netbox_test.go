package program

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/integration"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/relay"
)

// office is a NetBox with a server that follows it, and clients of both kinds.
type office struct {
	t          *testing.T
	netbox     *netboxtest.Server
	seeded     *netboxtest.Seeded
	conf, addr string
	env        []string // of the server
	server     *server
	agent      *relay.Agent
	served     map[string]net.IP // what each client has, by its MAC
}

const (
	limitedToken = "limited000000000000000000000000000000000"
	hosts        = 12 // that have a static address: 10.77.0.10 and on
	leasing      = 4  // clients that lease one
)

func hostMAC(n int) net.HardwareAddr { return net.HardwareAddr{0x52, 0x54, 0, 0xaa, 0, byte(n)} }

// world is a network in a VRF, with hosts and a pool.
func world() netboxtest.World {
	onAddresses := []string{"ipam.ipaddress"}
	w := netboxtest.World{
		Tags: []netboxtest.Tag{{Name: "DHCP"}, {Name: "Gateway"}},
		CustomFields: []netboxtest.CustomField{
			{Name: "pydhcp_mac", Type: "text", ObjectTypes: onAddresses},
			{Name: "pydhcp_expire", Type: "datetime", ObjectTypes: onAddresses},
		},
		Sites:    []netboxtest.Site{{Name: "HQ"}},
		VRFs:     []netboxtest.VRF{{Name: "lab", DuplicatesLegal: true}},
		Prefixes: []netboxtest.Prefix{{Prefix: "10.77.0.0/20", VRF: "lab", Status: "active"}},
		IPs:      []netboxtest.IP{{Address: "10.77.0.1/20", VRF: "lab", Tags: []string{"Gateway"}}},
	}
	for n := range 2 * leasing {
		w.IPs = append(w.IPs, netboxtest.IP{Address: fmt.Sprintf("10.77.1.%d/20", n+1), VRF: "lab", Tags: []string{"DHCP"}})
	}
	for n := range hosts {
		w.Devices = append(w.Devices, netboxtest.Device{Name: fmt.Sprintf("web%d", n), Site: "HQ", Interfaces: []netboxtest.Interface{
			{Name: "eth0", MACs: []string{hostMAC(n).String()}, IPs: []netboxtest.IP{{Address: fmt.Sprintf("10.77.0.%d/20", 10+n), VRF: "lab"}}},
		}})
	}
	return w
}

// newOffice serves the world and gives all clients their addresses. settings are
// further lines of the section netbox.
func newOffice(t *testing.T, settings ...string) *office {
	t.Helper()
	return newOfficeAs(t, []string{"NETBOX_TOKEN=" + limitedToken}, settings...)
}

// newOfficeAs is newOffice with an environment.
func newOfficeAs(t *testing.T, env []string, settings ...string) *office {
	t.Helper()
	o := &office{t: t, env: env, netbox: netboxtest.New(t, netboxtest.Config{}), served: make(map[string]net.IP)}
	o.seeded = netboxtest.Seed(t, o.netbox.URL(), o.netbox.TokenV1(), world())
	o.see(nil)
	o.conf, o.addr = lab(t, pool)
	text, err := os.ReadFile(o.conf)
	if err != nil {
		t.Fatal(err)
	}
	settings = append([]string{"url: " + o.netbox.URL(), "vrf: lab", "poll: {interval: 1s}"}, settings...)
	write(t, o.conf, strings.Replace(string(text), "inventory: inventory.yml", strings.Join(settings, "\n  "), 1))
	o.start("snapshot of NetBox replaced")
	o.agent = agent(t, o.addr)
	for n := range hosts {
		o.acquire(hostMAC(n))
	}
	for n := range leasing {
		o.acquire(mac(n))
	}
	return o
}

// see narrows what the server's token sees of some models to the ids given; without
// any it sees all.
func (o *office) see(only map[string][]int64) {
	grants := integration.LeastPrivilege()
	for i := range grants {
		grants[i].IDs = only[grants[i].Object]
	}
	o.netbox.Permit(limitedToken, grants...)
}

// ids are those of the named objects.
func (o *office) ids(path string, names ...string) []int64 {
	var found []int64
	for _, name := range names {
		found = append(found, o.seeded.ID(o.t, path, name))
	}
	return found
}

func (o *office) start(sign string) {
	o.t.Helper()
	o.server = launch(o.t, o.env, binary, "serve", "--conf", o.conf)
	o.server.await(o.t, sign)
}

func (o *office) stop() {
	o.t.Helper()
	if err := errors.Join(o.server.Process.Signal(syscall.SIGTERM), o.server.Wait()); err != nil {
		o.t.Fatal(err)
	}
}

// restart ends the server and waits until its successor has said sign.
func (o *office) restart(sign string) {
	o.t.Helper()
	o.stop()
	o.start(sign)
}

// polled waits until the server has asked NetBox twice for everything that changed.
func (o *office) polled() {
	o.t.Helper()
	o.netbox.ForgetRequests()
	waitUntil(o.t, "NetBox is polled", func() bool {
		begun := 0
		for _, r := range o.netbox.Requests() {
			if r.Path == "/api/extras/tags/" {
				begun++
			}
		}
		return begun > 2
	})
}

func (o *office) acquire(mac net.HardwareAddr) {
	o.t.Helper()
	got, err := o.agent.Acquire(mac)
	if err != nil || got.MessageType() != dhcpv4.MessageTypeAck {
		o.t.Fatalf("%s got %v, %v\n%s", mac, got, err, o.server.lines(""))
	}
	o.served[mac.String()] = got.YourIPAddr
}

// renews asks for the address as a client that has restarted and as one that renews
// does. It returns the type of the answers, none for silence.
func (o *office) renews(mac net.HardwareAddr, addr net.IP) (kinds []dhcpv4.MessageType) {
	o.t.Helper()
	renewing, err := dhcpv4.New(dhcpv4.WithHwAddr(mac), dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest), dhcpv4.WithClientIP(addr))
	if err != nil {
		o.t.Fatal(err)
	}
	for _, ask := range []func() (*dhcpv4.DHCPv4, error){
		func() (*dhcpv4.DHCPv4, error) { return o.agent.Reclaim(mac, addr) },
		func() (*dhcpv4.DHCPv4, error) { return o.agent.Exchange(renewing) },
	} {
		reply, err := ask()
		switch {
		case errors.Is(err, relay.ErrSilence):
			kinds = append(kinds, dhcpv4.MessageTypeNone)
		case err != nil:
			o.t.Fatal(err)
		case reply.MessageType() == dhcpv4.MessageTypeAck && !reply.YourIPAddr.Equal(addr):
			o.t.Errorf("%s has %s and is told %s", mac, addr, reply.YourIPAddr)
		default:
			kinds = append(kinds, reply.MessageType())
		}
	}
	return kinds
}

// allAreServed has each client keep its address.
func (o *office) allAreServed(when string) {
	o.t.Helper()
	for text, addr := range o.served {
		mac, err := net.ParseMAC(text)
		if err != nil {
			o.t.Fatal(err)
		}
		for _, kind := range o.renews(mac, addr) {
			if kind != dhcpv4.MessageTypeAck {
				o.t.Errorf("%s: %s asks for its %s and gets %s", when, mac, addr, kind)
			}
		}
	}
}

// check runs the command beside the server.
func (o *office) check() (printed string, code int) {
	o.t.Helper()
	command := exec.CommandContext(o.t.Context(), binary, "check", "--conf", o.conf)
	command.Env = []string{"HOME=" + o.t.TempDir(), "NETBOX_TOKEN=" + limitedToken}
	out, _ := command.CombinedOutput() // the exit code is looked at
	return string(out), command.ProcessState.ExitCode()
}

// T-1, T-3, T-4, T-6: whatever way NetBox stops to show what clients live on, they
// keep their addresses, over a restart too, and the log says what is wrong.
func TestNetBoxStopsToShowWhatClientsLiveOn(t *testing.T) {
	const read = "NetBox read"
	nothing := []int64{1 << 40}
	hidden := func(model string, ids []int64) func(*office) {
		return func(o *office) { o.see(map[string][]int64{model: ids}) }
	}
	rename := func(path, name string, fields map[string]any) func(*office) {
		return func(o *office) { o.netbox.Edit(o.t, path, o.seeded.ID(o.t, path, name), fields) }
	}
	for name, c := range map[string]struct {
		change func(*office)
		says   string // the log
		read   string // what the log says when the next server has asked NetBox
	}{
		"the tag is renamed": {rename("extras/tags", "DHCP", map[string]any{"name": "Pool", "slug": "pool"}), "DHCP", read},
		"the tag is deleted": {func(o *office) { o.netbox.Delete(t, "extras/tags", o.seeded.ID(t, "extras/tags", "DHCP")) }, "NetBox changed so much", read},
		"the tag is hidden":  {hidden("extras.tag", nothing), "vanished", read},
		"all addresses but one are hidden": {func(o *office) {
			o.see(map[string][]int64{"ipam.ipaddress": o.ids("ipam/ip-addresses", "lab 10.77.0.1/20")})
		}, "vanished", read},
		"all addresses are hidden": {hidden("ipam.ipaddress", nothing), "vanished", read},
		"MAC addresses are hidden": {hidden("dcim.macaddress", nothing), "vanished", read},
		"interfaces are hidden":    {hidden("dcim.interface", nothing), "vanished", read},
		"devices are hidden":       {hidden("dcim.device", nothing), "vanished", read},
		"prefixes are hidden":      {hidden("ipam.prefix", nothing), "vanished", read},
		"VRFs are hidden":          {hidden("ipam.vrf", nothing), "vanished", read},
		"the VRF is renamed":       {rename("ipam/vrfs", "lab", map[string]any{"name": "laboratory"}), "lab", read},
		"an empty list of prefixes": {func(o *office) {
			o.netbox.Fail(netboxtest.Fault{Path: "/api/ipam/prefixes/", Kind: netboxtest.EmptyPage})
		}, "read ipam/prefixes: the last page has 0 rows of 1", "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			c.change(o)
			o.polled()
			o.allAreServed("at once")
			said := o.server.lines(c.says)
			o.restart(c.read)
			o.allAreServed("after a restart")
			waitUntil(t, "an alarm says "+c.says, func() bool {
				return slices.ContainsFunc(append(o.server.lines(c.says), said...), regexp.MustCompile("level=(warning|error)").MatchString)
			})
			o.allAreServed("after the alarm")
		})
	}
}

// C-5, T-1, T-2: the token's view is narrowed. Metric and check count what is
// missing, and the operator's word reaches the server that runs.
func TestTheOperatorAcceptsWhatNetBoxShows(t *testing.T) {
	status := integration.FreePort(t)
	o := newOffice(t, "metrics: {listen: \""+status+"\"}")
	shown := []string{"lab 10.77.0.1/20"}
	for n := range 2 * leasing {
		shown = append(shown, fmt.Sprintf("lab 10.77.1.%d/20", n+1))
	}
	if out, code := o.check(); code != 0 {
		t.Errorf("check before: exit code %d\n%s", code, out)
	}
	o.see(map[string][]int64{"ipam.ipaddress": o.ids("ipam/ip-addresses", shown...)})
	if out, code := o.check(); code != 1 || !strings.Contains(out, fmt.Sprintf("does not see %d of %d", hosts, hosts+len(shown))) {
		t.Errorf("check of a narrow view: exit code %d\n%s", code, out)
	}
	o.restart("NetBox read")
	lost := func(want int) {
		t.Helper()
		line := fmt.Sprintf("coredhcp_netbox_rows_lost{table=\"IP addresses\"} %d\n", want)
		if page := get(t, "http://"+status+"/metrics"); !strings.Contains(page, line) {
			t.Errorf("no %s in\n%s", line, strings.Join(regexp.MustCompile(`.*rows_lost.*`).FindAllString(page, -1), "\n"))
		}
	}
	lost(hosts)
	o.allAreServed("before the word")
	stdout, stderr, code := run(t, "accept", "--conf", o.conf)
	if code != 0 || !strings.Contains(stdout, fmt.Sprintf("accepted; %d rows", hosts)) {
		t.Fatalf("accept: exit code %d\n%s%s", code, stdout, stderr)
	}
	lost(0)
	for _, want := range []string{"accepted by the operator", "changed by command"} {
		o.server.await(t, want)
	}
	got, err := o.agent.Acquire(hostMAC(0))
	if err != nil || !strings.HasPrefix(got.YourIPAddr.String(), "10.77.1.") {
		t.Errorf("a host without its static address got %v, %v, want one of the pool", got, err)
	}
	o.restart("NetBox read")
	lost(0)
	if out, code := o.check(); code != 0 {
		t.Errorf("check after the word: exit code %d\n%s", code, out)
	}
	if stdout, _, code := run(t, "accept", "--conf", o.conf); code != 0 || !strings.Contains(stdout, "accepted; 0 rows") {
		t.Errorf("a second word: exit code %d, %s", code, stdout)
	}
}

// get reads a page.
func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// S-11, D-13: a leased address is assigned to a machine. It waits for the end of the
// lease, which is not extended, and a line names both.
func TestALeasedAddressIsAssignedToAMachine(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "lease: {reclaim_grace: 1s}")
	leaser := mac(0)
	leased := o.served[leaser.String()]
	row := o.seeded.ID(t, "ipam/ip-addresses", fmt.Sprintf("lab %s/20", leased))
	o.netbox.Edit(t, "ipam/ip-addresses", row, map[string]any{"tags": []int64{},
		"assigned_object_type": "dcim.interface", "assigned_object_id": o.seeded.ID(t, "dcim/interfaces", "web0 eth0")})
	// web0 has this address only.
	o.netbox.Delete(t, "ipam/ip-addresses", o.seeded.ID(t, "ipam/ip-addresses", "lab 10.77.0.10/20"))
	o.polled()
	if got := o.renews(leaser, leased); !slices.Equal(got, []dhcpv4.MessageType{dhcpv4.MessageTypeAck, dhcpv4.MessageTypeAck}) {
		t.Errorf("who leases it gets %v, want ACKs for the time that is left", got)
	}
	waiting, err := o.agent.Acquire(hostMAC(0))
	if err != nil || !strings.HasPrefix(waiting.YourIPAddr.String(), "10.77.1.") || waiting.YourIPAddr.Equal(leased) {
		t.Errorf("its new owner got %v, %v, want another address", waiting, err)
	}
	o.server.await(t, "waits")
	if line := strings.ToLower(strings.Join(o.server.lines("waits"), "")); !strings.Contains(line, leaser.String()) || !strings.Contains(line, hostMAC(0).String()) {
		t.Errorf("a line names not both: %s", line)
	}
	release, err := dhcpv4.New(dhcpv4.WithHwAddr(leaser), dhcpv4.WithMessageType(dhcpv4.MessageTypeRelease), dhcpv4.WithClientIP(leased))
	if err := errors.Join(err, o.agent.Send(release)); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the owner gets its address", func() bool {
		got, err := o.agent.Acquire(hostMAC(0))
		return err == nil && got.YourIPAddr.Equal(leased)
	})
	got, err := o.agent.Acquire(leaser)
	if err != nil || got.YourIPAddr.Equal(leased) {
		t.Errorf("who leased it got %v, %v, want another address", got, err)
	}
}

// I-9: one address on two machines is served to one of them, over a restart too.
// The log and check name both.
func TestOneAddressOnTwoMachines(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.netbox.Add(t, "ipam/ip-addresses", map[string]any{"address": "10.77.0.10/20", "vrf": o.seeded.ID(t, "ipam/vrfs", "lab"),
		"assigned_object_type": "dcim.interface", "assigned_object_id": o.seeded.ID(t, "dcim/interfaces", "web1 eth0")})
	o.netbox.Delete(t, "ipam/ip-addresses", o.seeded.ID(t, "ipam/ip-addresses", "lab 10.77.0.11/20"))
	twice := net.IPv4(10, 77, 0, 10)
	for _, when := range []string{"at once", "after a restart"} {
		o.polled()
		owner, err := o.agent.Acquire(hostMAC(0))
		if err != nil || !owner.YourIPAddr.Equal(twice) {
			t.Errorf("%s: who had it got %v, %v", when, owner, err)
		}
		other, err := o.agent.Acquire(hostMAC(1))
		if err != nil || other.YourIPAddr.Equal(twice) {
			t.Errorf("%s: the other got %v, %v, want an address of the pool", when, other, err)
		}
		if got := o.renews(hostMAC(1), twice); slices.Contains(got, dhcpv4.MessageTypeAck) || slices.Contains(got, dhcpv4.MessageTypeNak) {
			t.Errorf("%s: the other asks for it and gets %v, want silence", when, got)
		}
		names := func(where, text string) {
			t.Helper()
			if !strings.Contains(text, "web0") || !strings.Contains(text, "web1") || !strings.Contains(text, "10.77.0.10") {
				t.Errorf("%s: %s does not name both: %s", when, where, text)
			}
		}
		names("the log", strings.Join(o.server.lines("the same address belongs to"), ""))
		out, _ := o.check()
		names("check", out)
		o.restart("NetBox read")
	}
}

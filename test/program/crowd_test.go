package program

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/relay"
)

// server is a running server and what it logged.
type server struct {
	*exec.Cmd
	mu  sync.Mutex
	log bytes.Buffer
}

// Write takes the log.
func (s *server) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

// lines returns the lines of the log that contain text.
func (s *server) lines(text string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []string
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// await waits until the log has a line with text.
func (s *server) await(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); len(s.lines(text)) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.mu.Lock()
			defer s.mu.Unlock()
			t.Fatalf("no line with %q in\n%s", text, s.log.String())
		}
	}
}

// launch starts a command that becomes the server, and waits until it serves.
func launch(t *testing.T, env []string, command ...string) *server {
	t.Helper()
	s := &server{Cmd: exec.Command(command[0], command[1:]...)}
	s.Env = append([]string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}, env...)
	s.Stdout, s.Stderr = s, s
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Process.Kill() }) // fails if it has ended
	s.await(t, "serving DHCPv4")
	return s
}

// flood sends the messages in turn at a rate until stop is closed.
func flood(t *testing.T, a *relay.Agent, perSecond int, stop <-chan struct{}, next func(i int) *dhcpv4.DHCPv4) {
	t.Helper()
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case <-tick.C:
			if err := a.Send(next(i)); err != nil {
				t.Error(err)
				return
			}
		}
	}
}

// knownHostIsServed has web1 get its static address ten times a second for three
// seconds, while something else goes on.
func knownHostIsServed(t *testing.T, addr string) {
	t.Helper()
	const times = 30
	a := agent(t, addr)
	for n := range times {
		time.Sleep(100 * time.Millisecond) // a rate, not a wait
		got, err := a.Acquire(net.HardwareAddr{0x52, 0x54, 0, 0xaa, 0, 1})
		if err != nil || got.MessageType() != dhcpv4.MessageTypeAck || !got.YourIPAddr.Equal(net.IPv4(10, 77, 0, 10)) {
			t.Errorf("the known host, time %d of %d: %v, %v", n+1, times, got, err)
		}
	}
}

// bootable is a NetBox with machines whose redeploy switch is on, and a known
// host that boots from its disk.
func bootable(machines int) netboxtest.World {
	w := netboxtest.World{
		Sites:        []netboxtest.Site{{Name: "Site"}},
		CustomFields: []netboxtest.CustomField{{Name: "redeploy", Type: "boolean", ObjectTypes: []string{"dcim.device"}}},
		Prefixes:     []netboxtest.Prefix{{Prefix: "10.77.0.0/20", Status: "active"}},
		Devices: []netboxtest.Device{{Name: "web1", Site: "Site", Interfaces: []netboxtest.Interface{
			{Name: "eth0", MACs: []string{"52:54:00:aa:00:01"}, IPs: []netboxtest.IP{{Address: "10.77.0.10/20"}}},
		}}},
	}
	for i := range machines {
		w.Devices = append(w.Devices, netboxtest.Device{
			Name: fmt.Sprintf("node%d", i), Site: "Site", CustomFields: map[string]any{"redeploy": true},
			LocalContext: map[string]any{"pydhcp_configuration": map[string]any{"tftp_server": "10.77.0.2", "pxe_boot_file": "pxelinux.0"}},
			Interfaces: []netboxtest.Interface{
				{Name: "eth0", MACs: []string{mac(i).String()}, IPs: []netboxtest.IP{{Address: fmt.Sprintf("10.77.4.%d/20", i+1)}}},
			},
		})
	}
	return w
}

// bootROM is the DISCOVER of a boot ROM.
func bootROM(t *testing.T, mac net.HardwareAddr) *dhcpv4.DHCPv4 {
	t.Helper()
	m, err := dhcpv4.NewDiscovery(mac, dhcpv4.WithOption(dhcpv4.OptClassIdentifier("PXEClient:Arch:00000:UNDI:002001")))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// B-9, B-10: NetBox answers the redeploy switch after 1.8 seconds, and PXE clients
// discover hundreds of times a second. Known hosts are served, and NetBox is not
// flooded.
func TestASlowNetBoxAndAFloodOfBootClientsLeaveKnownHostsServed(t *testing.T) {
	const many = 100
	netbox := netboxtest.New(t, netboxtest.Config{})
	netboxtest.Seed(t, netbox.URL(), netbox.TokenV1(), bootable(many))
	conf, addr := lab(t, pool)
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	write(t, conf, strings.Replace(string(text), "inventory: inventory.yml", "url: "+netbox.URL(), 1))
	s := launch(t, []string{"NETBOX_TOKEN=" + netbox.TokenV1()}, binary, "serve", "--conf", conf)
	s.await(t, "snapshot of NetBox replaced")
	offer, err := agent(t, addr).Exchange(bootROM(t, mac(0)))
	if err != nil || offer.BootFileName != "pxelinux.0" {
		t.Fatalf("a boot client got %v, %v\n%s", offer, err, s.lines(""))
	}
	netbox.Fail(netboxtest.Fault{Path: "/api/dcim/devices/*", Kind: netboxtest.Slow, Delay: 1800 * time.Millisecond})
	for _, c := range []struct {
		name                string
		perSecond, machines int
	}{
		{"200 a second of one machine", 200, 1},
		{"400 a second of one machine", 400, 1},
		{"400 a second of a hundred machines", 400, many},
	} {
		t.Run(c.name, func(t *testing.T) {
			netbox.ForgetRequests()
			stop := make(chan struct{})
			var sender sync.WaitGroup
			// Several relays: a second message of a client from one relay takes no worker.
			agents := []*relay.Agent{agent(t, addr), agent(t, addr), agent(t, addr), agent(t, addr), agent(t, addr), agent(t, addr)}
			for n, a := range agents {
				sender.Go(func() {
					flood(t, a, c.perSecond/len(agents), stop, func(i int) *dhcpv4.DHCPv4 { return bootROM(t, mac((i+7*n)%c.machines)) })
				})
			}
			time.Sleep(2 * time.Second) // so that whatever waits for NetBox does
			began := time.Now()
			knownHostIsServed(t, addr)
			close(stop)
			sender.Wait()
			reads := 0
			for _, r := range netbox.Requests() {
				if strings.HasPrefix(r.Path, "/api/dcim/devices/") && len(r.Path) > len("/api/dcim/devices/") {
					reads++
				}
			}
			if most := 64 + c.machines*int(time.Since(began)/time.Second+4); reads > most {
				t.Errorf("NetBox was asked for switches %d times, at most %d are expected", reads, most)
			}
		})
	}
}

// B-9: the disk hangs, and 300 clients renew, a hundred a second. Known hosts are
// served; when the disk is back, so is everybody.
func TestAHungDiskLeavesKnownHostsServed(t *testing.T) {
	netns.Require(t, "unshare", "mkfs.ext4", "fsfreeze")
	conf, addr := lab(t, pool)
	state := filepath.Join(filepath.Dir(conf), "state")
	image := filepath.Join(t.TempDir(), "image")
	for _, command := range [][]string{{"truncate", "-s", "64M", image}, {"mkfs.ext4", "-q", image}, {"mkdir", state}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", command, err, out)
		}
	}
	s := launch(t, nil, "unshare", "--mount", "sh", "-c", `mount -o loop "$0" "$1" && shift && exec "$@"`, image, state, binary, "serve", "--conf", conf)
	const clients = 300
	a := agent(t, addr)
	leases := make([]netip.Addr, clients)
	for i := range leases {
		got, err := a.Acquire(mac(i))
		if err != nil {
			t.Fatal(err)
		}
		leases[i], _ = netip.AddrFromSlice(got.YourIPAddr.To4())
	}
	disk := fmt.Sprintf("/proc/%d/root%s", s.Process.Pid, state)
	freeze := func(flag string) {
		t.Helper()
		if out, err := exec.Command("fsfreeze", flag, disk).CombinedOutput(); err != nil {
			t.Fatalf("fsfreeze %s: %v\n%s", flag, err, out)
		}
	}
	freeze("-f")
	thawed := false
	thaw := func() {
		if !thawed {
			thawed = true
			freeze("-u")
		}
	}
	defer thaw()
	stop := make(chan struct{})
	var sender sync.WaitGroup
	sender.Go(func() {
		flood(t, agent(t, addr), 100, stop, func(i int) *dhcpv4.DHCPv4 {
			m, err := dhcpv4.New(dhcpv4.WithHwAddr(mac(i%clients)), dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest),
				dhcpv4.WithClientIP(leases[i%clients].AsSlice()))
			if err != nil {
				t.Error(err)
			}
			return m
		})
	})
	time.Sleep(4 * time.Second) // longer than a message waits for the disk
	knownHostIsServed(t, addr)
	close(stop)
	sender.Wait()
	thaw()
	for i := 0; i < clients; i += 30 {
		var got *dhcpv4.DHCPv4
		var err error
		for range 3 { // the last message of before may still be in work
			if got, err = a.Reclaim(mac(i), leases[i].AsSlice()); err == nil {
				break
			}
		}
		if err != nil || got.MessageType() != dhcpv4.MessageTypeAck {
			t.Errorf("client %d after the disk came back: %v, %v", i, got, err)
		}
	}
}

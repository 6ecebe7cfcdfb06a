package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/relay"
)

// story is one client of the demo and what has to come of it.
type story struct {
	title   string
	mac     string
	explain []string // more flags for explain
	wish    string   // remembered address; empty: DISCOVER
	boot    bool
	want    map[string]string // of the last answer, as facts names it
}

func stories() []story {
	return []story{
		{
			title: "web1, a device in NetBox",
			mac:   "52:54:00:00:00:01",
			want:  map[string]string{"answer": "ACK", "address": "10.77.0.10/24", "router": "10.77.0.1", "dns": "10.77.0.53", "domain": "lab.example.org"},
		},
		{
			title: "a machine that is not in NetBox",
			mac:   "52:54:00:00:00:99",
			want:  map[string]string{"answer": "ACK", "address": "10.77.0.100/24", "router": "10.77.0.1", "dns": "10.77.0.54"},
		},
		{
			title: "node1, booting its UEFI firmware over the network",
			mac:   "52:54:00:00:00:02",
			boot:  true,
			explain: []string{
				"--arch", "7",
			},
			want: map[string]string{"answer": "ACK", "address": "10.77.0.11/24", "next server": "10.77.0.5", "boot file": "grubx64.efi"},
		},
		{
			title:   "a laptop that remembers an address of another network",
			mac:     "52:54:00:00:00:98",
			wish:    "192.168.178.20",
			explain: []string{"--message", "init-reboot", "--request", "192.168.178.20"},
			want:    map[string]string{"answer": "NAK"},
		},
	}
}

// tell explains the client's first message, sends it, and checks the answer.
func (s story) tell(ctx context.Context, out io.Writer, agent *relay.Agent, binary, conf string) error {
	fmt.Fprintf(out, "\n== %s (%s)\n", s.title, s.mac)
	args := append([]string{"explain", "--conf", conf, "--mac", s.mac, "--relay", "10.77.0.1", "--server-id", "127.0.0.1"}, s.explain...)
	why, err := exec.CommandContext(ctx, binary, args...).Output()
	if err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	for line := range strings.Lines(string(why)) {
		fmt.Fprint(out, "   ", line)
	}
	reply, err := s.exchange(agent)
	if err != nil {
		return err
	}
	got := facts(reply)
	fmt.Fprint(out, "   --> got:")
	for _, name := range []string{"answer", "address", "router", "dns", "domain", "next server", "boot file", "lease"} {
		if got[name] != "" {
			fmt.Fprintf(out, " %s %s", name, got[name])
		}
		if want, ok := s.want[name]; ok && want != got[name] {
			return fmt.Errorf("%s: want %s, got %q", name, want, got[name])
		}
	}
	fmt.Fprintln(out)
	return nil
}

// exchange is DISCOVER to ACK, or a REQUEST for the remembered address.
func (s story) exchange(agent *relay.Agent) (*dhcpv4.DHCPv4, error) {
	mac, err := net.ParseMAC(s.mac)
	if err != nil {
		return nil, err
	}
	modifiers := []dhcpv4.Modifier{dhcpv4.WithRequestedOptions(dhcpv4.OptionSubnetMask, dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer, dhcpv4.OptionDomainName)}
	if s.boot {
		modifiers = append(modifiers,
			dhcpv4.WithOption(dhcpv4.OptClientArch(iana.EFI_X86_64)),
			dhcpv4.WithOption(dhcpv4.OptClassIdentifier("PXEClient:Arch:00007:UNDI:003016")),
			dhcpv4.WithRequestedOptions(dhcpv4.OptionTFTPServerName, dhcpv4.OptionBootfileName))
	}
	if s.wish != "" {
		return agent.Reclaim(mac, net.ParseIP(s.wish), modifiers...)
	}
	return agent.Acquire(mac, modifiers...)
}

// facts names what an answer says.
func facts(m *dhcpv4.DHCPv4) map[string]string {
	f := map[string]string{"answer": m.MessageType().String()}
	if ones, _ := m.SubnetMask().Size(); !m.YourIPAddr.IsUnspecified() {
		f["address"] = fmt.Sprintf("%s/%d", m.YourIPAddr, ones)
		f["lease"] = m.IPAddressLeaseTime(0).String()
	}
	if routers := m.Router(); len(routers) > 0 {
		f["router"] = routers[0].String()
	}
	if servers := m.DNS(); len(servers) > 0 {
		f["dns"] = servers[0].String()
	}
	f["domain"] = m.DomainName()
	if !m.ServerIPAddr.IsUnspecified() {
		f["next server"] = m.ServerIPAddr.String()
	}
	f["boot file"] = m.BootFileName
	return f
}

//go:build linux

package netns

import (
	"context"
	"net/netip"
)

// Relay says what a relay agent does.
type Relay struct {
	// Down is the interface towards the clients, Up the one towards the server.
	Down, Up string
	// More are further interfaces towards clients; dhcrelay only.
	More []string
	// Server is the DHCP server's address.
	Server netip.Addr
	// DownAddr is the relay's address on Down, which becomes giaddr. Only dnsmasq needs to be
	// told; dhcrelay takes the interface's first address.
	DownAddr netip.Addr
	// AgentOption makes dhcrelay add option 82 with the circuit id of Down.
	AgentOption bool
}

// Dhcrelay starts ISC's relay (Debian package isc-dhcp-relay) and waits until it relays.
func Dhcrelay(ctx context.Context, ns *Namespace, r Relay) (*Process, error) {
	args := []string{"-4", "-d", "--no-pid", "-id", r.Down, "-iu", r.Up}
	for _, down := range r.More {
		args = append(args, "-id", down)
	}
	if r.AgentOption {
		args = append(args, "-a")
	}
	p, err := ns.Start("dhcrelay", append(args, r.Server.String())...)
	if err != nil {
		return nil, err
	}
	// Its last line before it begins to work.
	return p, p.WaitOutput(ctx, "Sending on   Socket/fallback")
}

// DnsmasqRelay starts dnsmasq (Debian package dnsmasq-base) as a relay and waits until it relays.
func DnsmasqRelay(ctx context.Context, ns *Namespace, r Relay) (*Process, error) {
	p, err := ns.Start("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--pid-file=",
		"--user=root", "--log-facility=-", "--log-dhcp",
		"--dhcp-relay="+r.DownAddr.String()+","+r.Server.String()+","+r.Up)
	if err != nil {
		return nil, err
	}
	return p, p.WaitOutput(ctx, "DHCP relay from "+r.DownAddr.String())
}

package stock

import (
	"net"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// L-6
func TestRawFramesOfTheStockServerAreAvoided(t *testing.T) {
	other, none := net.IP{10, 0, 0, 66}, net.IPv4zero
	tests := map[string]struct {
		mods   []dhcpv4.Modifier
		siaddr net.IP
		in     dhcp4.Ingress
		want   bool
	}{
		"siaddr is ours":                {nil, dhcp4test.Server().AsSlice(), dhcp4.Ingress{}, false},
		"siaddr is a TFTP server":       {nil, other, dhcp4.Ingress{}, true},
		"siaddr is zero":                {nil, none, dhcp4.Ingress{}, true},
		"eight-byte hardware address":   {[]dhcpv4.Modifier{dhcpv4.WithHwAddr(make(net.HardwareAddr, 8))}, dhcp4test.Server().AsSlice(), dhcp4.Ingress{}, true},
		"relayed":                       {[]dhcpv4.Modifier{dhcp4test.Relayed("10.9.0.1")}, other, dhcp4.Ingress{}, false},
		"the client has an address":     {[]dhcpv4.Modifier{dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest), dhcpv4.WithClientIP(net.IP{10, 0, 0, 5})}, other, dhcp4.Ingress{}, false},
		"an address of before (D-6)":    {[]dhcpv4.Modifier{dhcpv4.WithClientIP(net.IP{10, 0, 0, 5})}, other, dhcp4.Ingress{}, true},
		"our own loop knows its source": {nil, other, dhcp4.Ingress{Interface: "eth0", Delivery: lease.DeliveryBroadcast}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, tt.mods...)
			resp := dhcp4test.Prepared(t, req)
			resp.ServerIPAddr = tt.siaddr
			avoidRawFrame(req, resp, tt.in)
			if req.IsBroadcast() != tt.want {
				t.Errorf("broadcast %v, want %v", req.IsBroadcast(), tt.want)
			}
			if tt.want && !req.ClientIPAddr.IsUnspecified() { // it would go before the flag (F-19)
				t.Errorf("ciaddr %v is left", req.ClientIPAddr)
			}
		})
	}
}

func FuzzRawFrame(f *testing.F) {
	f.Add(dhcp4test.Request(f, dhcpv4.MessageTypeDiscover).ToBytes())
	f.Fuzz(func(t *testing.T, datagram []byte) {
		req, err := dhcpv4.FromBytes(datagram)
		if err != nil {
			return
		}
		before := req.IsBroadcast()
		if avoidRawFrame(req, dhcp4test.Prepared(t, req), dhcp4.Ingress{}); before && !req.IsBroadcast() {
			t.Error("the client's flag was taken away")
		}
	})
}

package netbox

import (
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance/instancetest"
)

// BenchmarkHandler is the plugin's share of one message, as our receive loop
// calls it.
func BenchmarkHandler(b *testing.B) {
	phone := []dhcpv4.Modifier{stranger(1), dhcp4test.Raw(55, 1, 3, 6, 15, 66, 150), dhcp4test.Text(60, "Cisco Systems, Inc. IP Phone CP-7911G")}
	for name, c := range map[string]struct {
		netbox string
		mods   []dhcpv4.Modifier
	}{"static": {inventory, nil}, "dynamic": {inventory, []dhcpv4.Modifier{stranger(1)}}, "a phone without options": {inventory, phone}, "a phone": {phones, phone}} {
		b.Run(name, func(b *testing.B) {
			o := instancetest.Open(b, "", c.netbox)
			o.Logs.Reset()
			o.Log.(*logrus.Logger).SetLevel(logrus.WarnLevel)
			if err := o.Pool.UseFile(o.Path); err != nil { // not a stock build
				b.Fatal(err)
			}
			h, err := setup(o.Pool, nil)
			if err != nil {
				b.Fatal(err)
			}
			req := dhcp4test.Request(b, dhcpv4.MessageTypeDiscover, c.mods...)
			b.ReportAllocs()
			for b.Loop() {
				resp := dhcp4test.Prepared(b, req)
				x := o.Pool.Exchanges.Open(req, dhcp4.Ingress{})
				x.Prompt, x.Parks = true, true
				if resp, _ := h(req, resp); resp == nil {
					b.Fatal("no reply")
				}
				o.Pool.Exchanges.Close(req)
			}
		})
	}
}

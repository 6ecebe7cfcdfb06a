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
	for name, mods := range map[string][]dhcpv4.Modifier{"static": nil, "dynamic": {stranger(1)}} {
		b.Run(name, func(b *testing.B) {
			o := instancetest.Open(b, "", inventory)
			o.Logs.Reset()
			o.Log.(*logrus.Logger).SetLevel(logrus.WarnLevel)
			if err := o.Pool.UseFile(o.Path); err != nil { // not a stock build
				b.Fatal(err)
			}
			h, err := setup(o.Pool, nil)
			if err != nil {
				b.Fatal(err)
			}
			req := dhcp4test.Request(b, dhcpv4.MessageTypeDiscover, mods...)
			b.ReportAllocs()
			for b.Loop() {
				resp := dhcp4test.Prepared(b, req)
				o.Pool.Exchanges.Open(req, dhcp4.Ingress{}).Prompt = true
				if resp, _ := h(req, resp); resp == nil {
					b.Fatal("no reply")
				}
				o.Pool.Exchanges.Close(req)
			}
		})
	}
}

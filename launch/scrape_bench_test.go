package launch

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance/instancetest"
)

// BenchmarkScrape is one request for /metrics, by the number of pools of 250 dynamic
// addresses.
func BenchmarkScrape(b *testing.B) {
	for _, pools := range []int{1, 40, 400} {
		b.Run(fmt.Sprintf("%d pools", pools), func(b *testing.B) {
			var inventory strings.Builder
			inventory.WriteString("prefixes:\n")
			for n := range pools {
				fmt.Fprintf(&inventory, "  - {prefix: 10.%d.%d.0/24}\n", n/256, n%256)
			}
			inventory.WriteString("ip_addresses:\n")
			for n := range pools {
				fmt.Fprintf(&inventory, "  - {address: 10.%d.%d.1-10.%d.%d.250/24, tags: [DHCP]}\n", n/256, n%256, n/256, n%256)
			}
			opened := instancetest.Open(b, "", inventory.String())
			handler := statusHandler(opened.Registry, opened.NotReady)
			size := 0
			for b.Loop() {
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
				size = w.Body.Len()
			}
			b.ReportMetric(float64(size), "bytes/scrape")
		})
	}
}

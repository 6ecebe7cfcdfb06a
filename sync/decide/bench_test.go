package decide

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// steady is a world with the leases NetBox has already, 250 a scope.
func steady(b *testing.B, leases int) (*world, plan.Policy) {
	w, p := newWorld(), defaults(dh1)
	for n := range leases / 250 {
		net := fmt.Sprintf("10.%d.%d", n/250, n%250)
		w.addPrefix(net+".0/24", 0)
		s := w.server(dh1).addScope(net+".0/24", net+".1", net+".250")
		for i := range 250 {
			addr, id := fmt.Sprintf("%s.%d", net, i+1), fmt.Sprintf("00-00-5e-%02x-%02x-%02x", n/250, n%250, i)
			s.lease(addr, id, fmt.Sprintf("pc-%d-%d", n, i))
			x := state.Address{
				Address: netip.MustParsePrefix(addr + "/24"), Status: "dhcp", DNSName: fmt.Sprintf("pc-%d-%d", n, i), ClientID: id,
				Managed: state.Created, LeaseHostname: fmt.Sprintf("pc-%d-%d", n, i), LeaseActive: yes(),
			}
			if i%10 == 0 { // a tenth is reserved
				x.Status = "reserved"
				s.reserve(addr, id, x.DNSName)
			}
			w.addAddress(x)
		}
	}
	imports := p
	imports.Mode = plan.Import
	if err := w.apply(Build(w.read(imports))); err != nil {
		b.Fatal(err)
	}
	return w, p
}

// BenchmarkBuild plans runs in which nothing changed (rule 10).
func BenchmarkBuild(b *testing.B) {
	for _, leases := range []int{10_000, 100_000} {
		for name, change := range map[string]func(*plan.Policy){
			"pull": func(*plan.Policy) {},
			"push": func(p *plan.Policy) { p.PushReservations, p.PushScopeInfo, p.DeleteRemoved = true, true, true },
		} {
			b.Run(fmt.Sprintf("%s/%d", name, leases), func(b *testing.B) {
				w, p := steady(b, leases)
				change(&p)
				w.memory = Build(w.read(p)).Memory
				in := w.read(p)
				b.ReportAllocs()
				for b.Loop() {
					if made := Build(in); !made.Empty() {
						b.Fatal(describe(made))
					}
				}
			})
		}
		b.Run(fmt.Sprintf("first run/%d", leases), func(b *testing.B) {
			w, p := steady(b, leases)
			w.nb.Addresses = nil
			in := w.read(p)
			b.ReportAllocs()
			for b.Loop() {
				if made := Build(in); len(made.Steps) != leases {
					b.Fatal(describe(made))
				}
			}
		})
	}
}

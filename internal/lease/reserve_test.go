package lease

import (
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// C-15: a client keeps its address, without a moment of silence, when the lease becomes
// a reservation in NetBox.
func TestAClientKeepsAnAddressThatIsReservedForIt(t *testing.T) {
	later := seen(start.Add(time.Minute))
	for name, after := range map[string][]part{
		"on its interface": {device("pc", port("eth0", string(alice), on("10.0.0.10/24", later)))},
		"named by a field": {address("10.0.0.10/24", later, func(a *ipam.Address) { a.Reserved = &ipam.Reservation{MAC: ipam.MAC{0x52, 0x54, 0, 0, 0, 0x0a}} })},
	} {
		t.Run(name, func(t *testing.T) {
			world := []part{prefix("10.0.0.0/24"), dynamic("10.0.0.11/24")}
			store := newMemStore(synced(bound("10.0.0.10", alice, time.Hour), start))
			r := newRig(t, store, snapshot(t, worldOptions, append([]part{dynamic("10.0.0.10/24", record(alice, time.Hour), seen(start))}, world...)...))
			r.SetAuthority(Authoritative)
			r.expect(renewing(alice, "10.0.0.10"), "ACK D-12 10.0.0.10/24 bound")
			r.SetSnapshot(snapshot(t, worldOptions, append(after, world...)...))
			r.expect(renewing(alice, "10.0.0.10"), "ACK D-12 10.0.0.10/24 static")
			r.expect(message(Request, alice, wants("10.0.0.10")), "ACK D-8 10.0.0.10/24 static")
			r.expect(discover(alice), "OFFER D-1 10.0.0.10/24 static")
			r.expect(discover(bob, wants("10.0.0.10")), "OFFER D-1 10.0.0.11/24")
			r.now = start.Add(48 * time.Hour)
			r.expect(renewing(alice, "10.0.0.10"), "ACK D-12 10.0.0.10/24 static")
		})
	}
}

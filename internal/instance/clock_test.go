package instance

import (
	"net/netip"
	"testing"
	"time"

	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// S-15: an answer of NetBox confirms the clock of a start, the copy on disk does
// not, and neither does an answer that shows another time.
func TestWhatConfirmsTheClockOfAStart(t *testing.T) {
	for name, off := range map[string]time.Duration{"the same time": 0, "another time": time.Hour} {
		t.Run(name, func(t *testing.T) {
			s := netboxtest.New(t, netboxtest.Config{})
			s.SetClock(func() time.Time { return time.Now().Add(off) })
			log, _ := test.NewNullLogger()
			client, err := netbox.NewClient(netbox.Config{URL: s.URL(), Token: func() (string, error) { return s.TokenV2(), nil }}, log)
			if err != nil {
				t.Fatal(err)
			}
			ended := lease.Lease{Addr: netip.MustParseAddr("10.1.0.5"), Client: "52:54:00:00:00:01", State: lease.Bound, Expires: time.Now().Add(-time.Hour)}
			clock := machineClock()
			clock.Synced = func() bool { return false }
			engine, err := lease.NewEngine(t.Context(), lease.Config{
				Policy: lease.Policy{LeaseTime: 2 * time.Hour, MaxTime: 2 * time.Hour}, Store: lease.NewMemoryStore(ended), Clock: clock, Log: log,
			})
			if err != nil {
				t.Fatal(err)
			}
			i := &Instance{Engine: engine, client: client}
			i.confirm(time.Now(), client.Skew())
			if pause := engine.ReclaimPause(); pause < time.Hour || pause > 2*time.Hour {
				t.Errorf("confirmed by the copy on disk: a pause of %s", pause)
			}
			if _, err := client.Version(t.Context()); err != nil {
				t.Fatal(err)
			}
			i.confirm(time.Now(), client.Skew())
			if waits := engine.ReclaimPause() > 0; waits != (off != 0) {
				t.Errorf("NetBox shows %s: the pause goes on: %v", name, waits)
			}
		})
	}
}

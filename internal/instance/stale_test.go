package instance

import (
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// H-8: with an old snapshot known machines are still told what to boot, behind
// their switch; others are not.
func TestKnownMachinesBootWithAnOldSnapshot(t *testing.T) {
	i, _ := serving(t, settingsFile(t, "10.1.0.0/24"))
	for _, c := range []struct {
		name  string
		age   time.Duration
		m     lease.ClientMessage
		known bool
	}{
		{"a known machine, fresh", time.Minute, web(lease.Discover), true},
		{"a stranger, fresh", time.Minute, stranger(lease.Discover, ""), true},
		{"a known machine, stale", 48 * time.Hour, web(lease.Discover), true},
		{"a stranger, stale", 48 * time.Hour, stranger(lease.Discover, ""), false},
	} {
		i.Engine.Confirm(time.Now().Add(-c.age), 0)
		f := i.BootFacts(c.m)
		if f.Known != c.known || f.Known && f.Config == nil {
			t.Errorf("%s: known %v, want %v", c.name, f.Known, c.known)
		}
	}
}

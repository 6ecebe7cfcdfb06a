package follow

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// watch is a follower whose cycles the test runs itself, and what it told.
type watch struct {
	*Follower
	server    *netboxtest.Server
	clock     time.Time // what the follower takes for now, besides real time
	snapshot  *ipam.Snapshot
	problems  []ipam.Problem
	published int
	confirms  []time.Time
	logged    *logtest.Hook
}

func follow(t *testing.T, s *netboxtest.Server, token string, change ...func(*Config)) *watch {
	t.Helper()
	log, hook := logtest.NewNullLogger()
	w := &watch{server: s, clock: time.Now(), logged: hook}
	config := Config{
		Interval: time.Second, ContextKey: contextKey, GateFields: []string{"redeploy"},
		Options: ipam.Options{DynamicTag: "DHCP", GatewayTag: "Gateway"},
		OnSnapshot: func(s *ipam.Snapshot, p []ipam.Problem) {
			w.snapshot, w.problems = s, p
			w.published++
		},
		OnConfirm: func(at time.Time, _ time.Duration) { w.confirms = append(w.confirms, at) },
		Now:       func() time.Time { return w.clock },
		Fields:    testFields(), Log: log, Doubt: time.Hour,
	}
	for _, c := range change {
		c(&config)
	}
	w.Follower = New(clienttest.Connect(t, s.URL(), token, log), config)
	return w
}

// must runs a cycle that has to succeed.
func (w *watch) must(t *testing.T) {
	t.Helper()
	if err := w.cycle(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.report(nil)
}

// lines gives the messages logged at a level or above.
func (w *watch) lines(level logrus.Level) []string {
	var lines []string
	for _, e := range w.logged.AllEntries() {
		if e.Level <= level {
			lines = append(lines, fmt.Sprint(e.Message, " ", e.Data))
		}
	}
	return lines
}

func (w *watch) address(host string) *ipam.Address {
	return w.snapshot.Address(0, netip.MustParseAddr(host))
}

// reading is what a token needs to follow, the change log excepted.
func reading() []netboxtest.Grant {
	var grants []netboxtest.Grant
	for _, table := range Tables() {
		grants = append(grants, netboxtest.Grant{Object: table.Model(), Actions: []string{"view"}})
	}
	return grants
}

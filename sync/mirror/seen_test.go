package mirror_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// rule 9 row 55: what is known of a server outlives a run
// that does not ask it, and one that gets no answer.
func TestThePictureKeepsWhatRunsDoNotAsk(t *testing.T) {
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	l.Add(psutest.Example("dh1.corp.example"))
	l.Add(psutest.World{})
	l.Add(psutest.World{})
	m := l.Open("sync_ips_from_dhcp: true", map[string]string{"127.0.0.3": "maintenance: true"})
	if p := m.Known(); p.Run != nil || len(p.Servers) != 3 || !p.Servers[0].Asked.IsZero() {
		t.Errorf("before any run: %+v", p)
	}
	run(t, m, mirror.Options{Mode: plan.Import})
	run(t, m, mirror.Options{})
	first := m.Known()
	if s := first.Servers[0]; s.Trouble != "" || s.Version == "" || len(s.Listed) == 0 || len(s.Scopes) != len(s.Listed) || s.Answered != first.Run.Started {
		t.Errorf("after a run: %+v", s)
	}
	if s := first.Servers[2]; s.Silent != "in maintenance" || !s.Asked.IsZero() {
		t.Errorf("in maintenance: %+v", s)
	}

	run(t, m, mirror.Options{Servers: []string{l.Host(1)}})
	if s := m.Known().Servers[0]; s.Answered != first.Servers[0].Answered || len(s.Scopes) != len(first.Servers[0].Scopes) || s.Silent != "" {
		t.Errorf("after a run over another server: %+v", s)
	}

	l.Servers[0].Fail(psutest.Fault{Kind: psutest.Drop})
	if _, err := m.Sync(t.Context(), mirror.Options{}); err != nil {
		t.Fatal(err)
	}
	s := m.Known().Servers[0]
	if s.Trouble == "" || s.Answered != first.Servers[0].Answered || !s.Asked.After(s.Answered) || len(s.Scopes) == 0 {
		t.Errorf("after a run without an answer: %+v", s)
	}
	if strings.Contains(s.Trouble, l.Servers[0].Writer()) {
		t.Error("the trouble contains the token")
	}
}

func TestTheActivityOfTheLoop(t *testing.T) {
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	l.Add(psutest.Example("dh1.corp.example"))
	m := l.Open("", nil)
	if a := m.Activity(); a != (mirror.Activity{}) {
		t.Errorf("before the loop: %+v", a)
	}
	var (
		during mirror.Activity
		once   sync.Once
	)
	l.Front.Before(func(mirrortest.Request) mirrortest.Break {
		once.Do(func() { during = m.Activity() })
		return mirrortest.None
	})
	ctx, cancel := context.WithCancel(t.Context())
	start := time.Now()
	m.Loop(ctx, time.Hour, mirror.Options{}, func(*mirror.Run, error) { cancel() })
	if during.Running.Before(start) || during.Next.Before(start.Add(time.Hour)) || during.Queued {
		t.Errorf("during a run: %+v", during)
	}
	if !m.SyncNow(nil) || m.SyncNow(nil) {
		t.Error("a second run was queued beside one that waits")
	}
	if a := m.Activity(); !a.Queued || !a.Running.IsZero() {
		t.Errorf("after a run: %+v", a)
	}
}

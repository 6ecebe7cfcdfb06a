package mirror

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/decide"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// Known is what the runs of this process learnt of both sides, for people. A
// run over some servers leaves what is known of the others.
type Known struct {
	Servers []ServerSeen // all configured ones, in their order
	VRFs    []state.VRF
	// Run is the last run that made a plan; nil: none yet.
	Run *Run
}

// ServerSeen is what is known of one server.
type ServerSeen struct {
	Host     string
	URL      string    // of its endpoints
	Silent   string    // why the last run did not ask it; empty: it did
	Asked    time.Time // when a run that asked it began; zero: none did yet
	Answered time.Time // when one began in which it told its scopes; zero: never
	Trouble  string    // why it did not when it was asked last
	Version  string    // of its endpoint script; empty: not known
	Warnings []string  // of its client: psu.Client.Warnings

	// Listed and Scopes are as of Answered: what the server lists, and what
	// became of each.
	Listed []windhcp.Scope
	Scopes []plan.ScopeSeen
}

// Activity is what Loop is at.
type Activity struct {
	Running time.Time // when the run under way began; zero: none is
	Next    time.Time // when the next one is due; zero: there is no Loop
	Queued  bool      // SyncNow asked for one
}

// Known returns what the runs learnt. The caller must not change it.
func (m *Mirror) Known() Known {
	p := m.known()
	for i := range p.Servers {
		client := m.servers[p.Servers[i].Host]
		p.Servers[i].URL, p.Servers[i].Warnings = client.URL(), client.Warnings()
	}
	return p
}

func (m *Mirror) known() Known {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := Known{VRFs: m.vrfs, Run: m.planned, Servers: make([]ServerSeen, len(m.File.Sync.Servers))}
	for i, s := range m.File.Sync.Servers {
		p.Servers[i] = m.seen[s.Host]
		p.Servers[i].Host = s.Host
	}
	return p
}

// Activity tells what Loop is at.
func (m *Mirror) Activity() Activity {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := Activity{Queued: len(m.wanted) > 0}
	if m.running != nil {
		a.Running = m.running.Started
	}
	if m.every > 0 {
		a.Next = m.anchor.Add((m.now().Sub(m.anchor)/m.every + 1) * m.every)
	}
	return a
}

// MemoryTime is when what Memory returns was written; zero: never.
func (m *Mirror) MemoryTime() (time.Time, error) {
	info, err := os.Stat(m.state.file("memory.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("state: %w", err)
	}
	return info.ModTime(), nil
}

// began notes that a run has the lock.
func (m *Mirror) began(run *Run) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running = run
}

// idle notes that a run is over, also one that failed.
func (m *Mirror) idle(run *Run) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running == run {
		m.running = nil
	}
}

// ended notes what came of a run.
func (m *Mirror) ended(run *Run) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = run
	if run.Plan != nil {
		m.planned = run
	}
}

// looping notes the rhythm of Loop.
func (m *Mirror) looping(every time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.anchor, m.every = m.now(), every
}

// learn keeps what a run read for Known.
func (m *Mirror) learn(run *Run, in *plan.Input, roster *decide.Roster) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.vrfs = in.NetBox.VRFs
	for _, s := range m.File.Sync.Servers {
		seen := m.seen[s.Host]
		i := slices.IndexFunc(in.Windows, func(w windhcp.Server) bool { return w.Host == s.Host })
		if i < 0 {
			if len(run.Servers) == 0 {
				seen.Silent = roster.Silent(s.Host)
			}
			m.seen[s.Host] = seen
			continue
		}
		w := &in.Windows[i]
		seen.Silent, seen.Trouble, seen.Asked = "", "", run.Started
		if w.Version != "" {
			seen.Version = w.Version
		}
		if w.Scopes.Err != nil {
			seen.Trouble = w.Scopes.Err.Error()
			m.seen[s.Host] = seen
			continue
		}
		seen.Answered, seen.Listed, seen.Scopes = run.Started, w.Scopes.Items, nil
		for _, scope := range run.Plan.Scopes {
			if scope.Server == s.Host {
				seen.Scopes = append(seen.Scopes, scope)
			}
		}
		m.seen[s.Host] = seen
	}
}

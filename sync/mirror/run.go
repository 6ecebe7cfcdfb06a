package mirror

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/apply"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/decide"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/report"
)

// ErrChanged says that the plan differs from the one that was saved or shown.
var ErrChanged = errors.New("the plan is not the same any more, since one side has changed: make a new one")

// Sync makes a plan and carries it out, under the lock. With Options.Digest it is
// ErrChanged, and nothing is done, unless the plan is the one with that digest.
// The Run tells what happened also where there is an error. With sync.dry_run
// the plan is made and nothing is done.
func (m *Mirror) Sync(ctx context.Context, o Options) (*Run, error) {
	run := &Run{ID: newRunID(), Mode: o.Mode, Started: m.now(), Servers: o.Servers, DryRun: m.File.Sync.DryRun}
	if run.Mode == "" {
		run.Mode = plan.Sync
	}
	unlock, err := m.state.lock()
	if err == nil {
		defer unlock()
		m.began(run)
		defer m.idle(run)
		defer m.visit()()
		if err = m.awaitMaking(ctx, o); err == nil {
			err = m.planAndApply(ctx, o, run)
		}
	}
	run.Took = m.now().Sub(run.Started)
	run.Outcome = outcome(run, err)
	if err != nil {
		run.Error = err.Error()
		run.Summary = "failed: " + run.Error
	}
	run.Warnings = m.warnings()
	m.ended(run)
	m.metrics.ran(run)
	if !errors.Is(err, ErrLocked) {
		if keepErr := m.state.keepRun(*run); keepErr != nil && err == nil {
			m.log.WithError(keepErr).Warn("run not recorded")
		}
	}
	return run, err
}

// awaitMaking waits for what a run before sent to NetBox and was killed at, so that
// it is not made twice (rule 3.8 point 24).
func (m *Mirror) awaitMaking(ctx context.Context, o Options) error {
	making, err := m.state.making()
	if making == nil || err != nil || m.File.Sync.DryRun {
		return err
	}
	o.progress("waiting for what the last run sent to NetBox", 0, 0)
	m.log.Info("the last run ended in the middle of a write: waiting until NetBox is done with it")
	if err := making.Await(ctx, m.NetBox, time.Second); err != nil {
		return err
	}
	return m.state.keepMaking(nil)
}

// noteMaking keeps in the state folder what is about to be made.
func (m *Mirror) noteMaking(making *netboxio.Making) {
	if err := m.state.keepMaking(making); err != nil {
		m.log.WithError(err).Warn("a write under way could not be noted: if this run is killed now, run again after two minutes")
	}
}

func (m *Mirror) planAndApply(ctx context.Context, o Options, run *Run) error {
	in, roster, err := m.read(ctx, o)
	if err != nil {
		return err
	}
	run.Plan = decide.Build(*in)
	run.Summary = report.Summary(run.Plan)
	m.learn(run, in, roster)
	if err := unchanged(run.Plan, o.Digest); err != nil || run.DryRun {
		return err
	}
	run.Report = apply.Run(ctx, run.Plan, apply.Targets{NetBox: m.NetBox, Servers: m.servers}, apply.Options{
		Policy: in.Policy, Message: plan.MessagePrefix + run.ID, Log: m.log, Making: m.noteMaking,
		Progress: func(done, total int) { o.progress("writing", done, total) },
	})
	run.Summary = run.Report.Summary() + noteCounts(run.Plan)
	for i, r := range run.Report.Results {
		if r.Outcome != netboxio.Done && r.Outcome != netboxio.Unchanged {
			run.Plan.StepFailed(i, r.Error)
		}
	}
	if run.Mode == plan.Sync || run.Mode == plan.Import {
		after := remembered(in.Memory, run.Plan, run.Report)
		for _, w := range m.warnings() {
			if run.Mode == plan.Sync && after.Say(in.Memory, plan.SaidKeyOf("server", w), in.Now) {
				run.Repeated = append(run.Repeated, w)
			}
		}
		m.noteHistory(after.Leases, in.Now)
		if err := m.state.keepMemory(after); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: %w; the next run goes on from here", context.Cause(ctx))
	}
	return nil
}

// warnings are those of the clients of all servers.
func (m *Mirror) warnings() []string {
	var all []string
	for _, s := range m.File.Sync.Servers {
		for _, w := range m.servers[s.Host].Warnings() {
			all = append(all, s.Host+": "+w)
		}
	}
	return all
}

// unchanged returns ErrChanged if the plan has another digest than the wanted one.
// An empty digest accepts every plan.
func unchanged(p *plan.Plan, digest string) error {
	if digest == "" {
		return nil
	}
	now, err := p.Digest()
	if err == nil && now != digest {
		err = ErrChanged
	}
	return err
}

// noteCounts tells how many notes an operator has to look at.
func noteCounts(p *plan.Plan) string {
	count := make(map[plan.Level]int)
	for _, n := range p.Notes {
		count[n.Level]++
	}
	var b strings.Builder
	for _, part := range []struct {
		n         int
		one, many string
	}{
		{count[plan.Failure], "failure", "failures"},
		{count[plan.Guard], "held back by guards", "held back by guards"},
		{count[plan.Conflict], "conflict", "conflicts"},
		{count[plan.Warning], "warning", "warnings"},
		{len(p.Violations), "invalid status", "invalid statuses"},
	} {
		if part.n > 0 {
			b.WriteString("; " + printable.Count(part.n, part.one, part.many))
		}
	}
	return b.String()
}

// newRunID names a run in NetBox's change log.
func newRunID() string { return strings.ToLower(rand.Text()[:8]) }

// LastRuns returns the runs remembered in the state folder, the newest first,
// without their plans.
func (m *Mirror) LastRuns() ([]Run, error) { return m.state.runs() }

// Last returns the last run of this process with its plan; nil: none yet.
func (m *Mirror) Last() *Run {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

// Memory returns what is remembered of leases.
func (m *Mirror) Memory() (plan.Memory, error) { return m.state.memory() }

// Loop runs at once and then every interval, counted from the start so that runs
// do not drift. Runs that fall due during a longer one are left out. Loop calls
// after with each run. SyncNow starts one in between. Loop ends with ctx.
func (m *Mirror) Loop(ctx context.Context, every time.Duration, o Options, after func(*Run, error)) {
	m.looping(every)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	servers := o.Servers
	for {
		this := o
		this.Servers = servers
		after(m.Sync(ctx, this))
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			servers = o.Servers
		case servers = <-m.wanted:
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// SyncNow asks Loop for a run over some servers, or all; false: one is asked
// for already.
func (m *Mirror) SyncNow(servers []string) bool {
	select {
	case m.wanted <- servers:
		return true
	default:
		return false
	}
}

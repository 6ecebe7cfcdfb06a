package mirror

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/apply"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/decide"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/report"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// ErrMoved says that a saved plan does not fit any more.
var ErrMoved = errors.New("what the plan rests on has changed since it was saved: make a new one")

// Exit codes of both programs (decisions.md 6).
const (
	codeOK          = 0
	codeErrors      = 1
	codeLocked      = 3
	codeGuard       = 4
	codeNotPrepared = 64
)

// Sync makes a plan and carries it out, under the lock. The Run tells what
// happened also where there is an error. With sync.dry_run the plan is made
// and nothing is done.
func (m *Mirror) Sync(ctx context.Context, o Options) (*Run, error) {
	return m.run(ctx, o, func(*plan.Plan) error { return nil })
}

// ApplySaved carries out a saved plan if the one that would be made now has
// the same steps; else it is ErrMoved and nothing is done.
func (m *Mirror) ApplySaved(ctx context.Context, saved *plan.Plan, o Options) (*Run, error) {
	return m.run(ctx, o, func(p *plan.Plan) error {
		now, errNow := (&plan.Plan{Steps: p.Steps}).JSON()
		then, errThen := (&plan.Plan{Steps: saved.Steps}).JSON()
		if err := errors.Join(errNow, errThen); err != nil {
			return err
		}
		if !bytes.Equal(now, then) {
			return ErrMoved
		}
		return nil
	})
}

func (m *Mirror) run(ctx context.Context, o Options, fits func(*plan.Plan) error) (*Run, error) {
	run := &Run{ID: newRunID(), Mode: o.Mode, Started: m.now(), Servers: o.Servers, DryRun: m.File.Sync.DryRun}
	if run.Mode == "" {
		run.Mode = plan.Sync
	}
	unlock, err := m.state.lock()
	if err == nil {
		defer unlock()
		m.began(run)
		defer m.idle(run)
		err = m.planAndApply(ctx, o, run, fits)
	}
	run.Took = m.now().Sub(run.Started)
	run.Code = code(run, err)
	if err != nil {
		run.Error = err.Error()
		run.Summary = "failed: " + run.Error
	}
	for _, s := range m.File.Sync.Servers {
		for _, w := range m.servers[s.Host].Warnings() {
			run.Warnings = append(run.Warnings, s.Host+": "+w)
		}
	}
	m.ended(run)
	m.metrics.ran(run)
	if !errors.Is(err, ErrLocked) {
		if keepErr := m.state.keepRun(*run); keepErr != nil && err == nil {
			m.log.WithError(keepErr).Warn("run not recorded")
		}
	}
	return run, err
}

func (m *Mirror) planAndApply(ctx context.Context, o Options, run *Run, fits func(*plan.Plan) error) error {
	in, err := m.Read(ctx, o)
	if err != nil {
		return err
	}
	run.Plan = decide.Build(*in)
	run.Summary = report.Summary(run.Plan)
	m.learn(run, in)
	if err := fits(run.Plan); err != nil || run.DryRun {
		return err
	}
	run.Report = apply.Run(ctx, run.Plan, apply.Targets{NetBox: m.NetBox, Servers: m.servers}, apply.Options{
		Policy: in.Policy, Message: "netbox-dhcp-sync " + run.ID, Log: m.log,
		Progress: func(done, total int) { o.progress("writing", done, total) },
	})
	run.Summary = run.Report.Summary() + noteCounts(run.Plan)
	for i, r := range run.Report.Results {
		if r.Outcome != state.Done && r.Outcome != state.Unchanged {
			run.Plan.StepFailed(i, r.Error)
		}
	}
	if run.Mode == plan.Sync {
		if err := m.state.keepMemory(remembered(in.Memory, run.Plan, run.Report)); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: %w; the next run goes on from here", context.Cause(ctx))
	}
	return nil
}

// noteCounts adds what an operator has to look at.
func noteCounts(p *plan.Plan) string {
	count := make(map[plan.Level]int)
	for _, n := range p.Notes {
		count[n.Level]++
	}
	var b strings.Builder
	for _, level := range []plan.Level{plan.Failure, plan.Guard, plan.Conflict, plan.Warning} {
		if count[level] > 0 {
			fmt.Fprintf(&b, "; %d %s", count[level], level)
		}
	}
	if len(p.Violations) > 0 {
		fmt.Fprintf(&b, "; %d status violations", len(p.Violations))
	}
	return b.String()
}

// code is the exit code of a run.
func code(run *Run, err error) int {
	_, unprepared := errors.AsType[*NotPreparedError](err)
	switch {
	case errors.Is(err, ErrLocked):
		return codeLocked
	case unprepared:
		return codeNotPrepared
	case err != nil:
		return codeErrors
	case run.Plan.Refused():
		return codeGuard
	case run.Plan.Failed(), run.Report != nil && run.Report.Failed() > 0:
		return codeErrors
	}
	return codeOK
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

// Loop runs at once and then every interval, counted from the start so that
// runs do not drift; a run that takes longer swallows the ones it misses. after
// is told each run. SyncNow starts one in between. Loop ends with ctx.
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

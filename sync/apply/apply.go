// Package apply carries a plan out, step by step, on NetBox and on Windows
// servers. Every step is conditional on what the plan saw and may be carried
// out again. It decides nothing: a step that rests on something that changed is left to
// the next plan.
package apply

import (
	"context"
	"errors"
	"fmt"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// Targets are the NetBox and the servers that are written to.
type Targets struct {
	NetBox  *netbox.Client
	Servers map[string]*endpoint.Client // by configured host
}

// Options say how a plan is carried out.
type Options struct {
	Policy plan.Policy // what steps are allowed by, checked again
	// Message is the beginning of the change log message of every write.
	Message string
	// Progress, if not nil, is told how many steps of how many are decided.
	Progress func(done, total int)
	// Making is told of each request that makes objects in NetBox before it is
	// sent, and nil once its outcome is known; nil: there is no need.
	Making func(*netboxio.Making)
	Log    logrus.FieldLogger
}

func (o *Options) making(m *netboxio.Making) {
	if o.Making != nil {
		o.Making(m)
	}
}

// Result is what became of a step.
type Result struct {
	Step    plan.Step        `json:"step"`
	Outcome netboxio.Outcome `json:"outcome"`
	Error   string           `json:"error,omitempty"`
	// Answers are the values that a server keeps otherwise than the step sent them,
	// by field.
	Answers map[string]plan.Answer `json:"answers,omitempty"`

	err error
}

// ErrNotTried marks steps that were not reached.
var ErrNotTried = errors.New("not tried")

// Run carries out the steps of p in their order. It goes on after single
// failures; trouble with NetBox as a whole ends everything before a Windows
// server is written to (rule 3.8), and trouble with one server ends the work on
// that server. The steps not reached are in the report as failed.
func Run(ctx context.Context, p *plan.Plan, targets Targets, o Options) *Report {
	r := &runner{plan: p, targets: targets, options: o, report: &Report{Results: make([]Result, len(p.Steps))}}
	for i := range p.Steps {
		r.report.Results[i] = Result{Step: p.Steps[i], Outcome: netboxio.Failed, err: ErrNotTried}
	}
	var journal []netboxio.Write
	for from := 0; from < len(p.Steps) && r.stopped == nil; {
		to := from + 1
		for to < len(p.Steps) && p.Steps[to].Phase == p.Steps[from].Phase && p.Steps[to].Target == p.Steps[from].Target {
			to++
		}
		if p.Steps[from].Target == plan.NetBox {
			journal = append(journal, r.netbox(ctx, from, to)...)
		} else {
			r.server(ctx, from, to)
		}
		from = to
	}
	r.bothOrNeither(ctx)
	r.journal(ctx, journal)
	for i := range r.report.Results {
		if err := r.report.Results[i].err; err != nil {
			if errors.Is(err, ErrNotTried) && r.stopped != nil {
				err = fmt.Errorf("%w, since %w", ErrNotTried, r.stopped)
			}
			r.report.Results[i].Error = err.Error()
		}
	}
	return r.report
}

type runner struct {
	plan    *plan.Plan
	targets Targets
	options Options
	report  *Report
	done    int
	// How many writes in a row something in front of NetBox stopped, and NetBox has an
	// exception for.
	blocked, exceptions int
	stopped             error // why nothing more is done
}

func (r *runner) decide(i int, outcome netboxio.Outcome, err error) {
	r.report.Results[i].Outcome, r.report.Results[i].err = outcome, err
	r.progress(1)
}

func (r *runner) progress(n int) {
	r.done += n
	if n > 0 && r.options.Progress != nil {
		r.options.Progress(r.done, len(r.plan.Steps))
	}
}

// allowed refuses steps that the mirror must not make. A plan has such a step only
// by a mistake of the planner.
func (r *runner) allowed(i int) bool {
	if err := r.options.Policy.Allowed(&r.plan.Steps[i]); err != nil {
		r.decide(i, netboxio.Refused, err)
		return false
	}
	return true
}

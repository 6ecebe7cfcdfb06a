// Package prepare compares a NetBox with what a program needs of it. The needs
// are one list for each program: Check makes findings of it, each with its fix,
// and PlanFor makes steps of it, which Plan.Apply carries out. It knows nothing
// of leases, of Windows servers or of settings: what a program needs is handed
// in. Nothing but Plan.Apply changes NetBox.
package prepare

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// Need is one thing that a program needs of its NetBox: a release, a
// permission, a tag, a custom field, another object. The types of this package
// that implement it say for whom and what for in the words of their findings.
type Need interface {
	// check adds a finding for each way in which the need is not met.
	check(ctx context.Context, r *run)
	// plan adds the steps that meet the need, and conflicts that no program can
	// solve. Needs that only an administrator can meet add nothing.
	plan(ctx context.Context, p *planner) error
}

// byBootstrap is the fix for what is missing and can be made.
const byBootstrap = "create it (the bootstrap command does)"

// Check says which needs are not met, in the order of the list, and how to put
// that right. A NetBox that cannot be reached or does not take the token gives
// one finding. It changes nothing. No findings: all is well.
func Check(ctx context.Context, client *netbox.Client, needs []Need) []Finding {
	r := &run{client: client, denied: make(map[netbox.Table]bool), rights: make(map[netbox.Table]rights)}
	if !r.reach(ctx) {
		return r.findings
	}
	r.token(ctx)
	for _, need := range needs {
		need.check(ctx, r)
	}
	r.pages()
	return r.findings
}

// run is one call of Check.
type run struct {
	client   *netbox.Client
	findings []Finding

	denied map[netbox.Table]bool   // lists that the token may not see
	rights map[netbox.Table]rights // what the token may write, as far as it was asked
	tags   []tagInfo               // nil: not read yet
	hidden bool                    // definitions of custom fields may not be seen, and a finding says so
}

func (r *run) add(s Severity, object, problem, fix string) {
	r.findings = append(r.findings, Finding{s, object, problem, fix})
}

// failed reports an error. It returns whether there was one.
func (r *run) failed(object string, err error) bool {
	if err == nil {
		return false
	}
	problem, fix := words(err)
	r.add(Failure, object, problem, fix)
	return true
}

// words are what went wrong, and what an operator can do about it.
func words(err error) (problem, fix string) {
	problem = err.Error()
	if e, ok := errors.AsType[*netbox.Error](err); ok {
		fix = e.Fix()
		problem = strings.TrimSuffix(problem, "; "+fix)
	}
	return problem, fix
}

// PlanFor lists what is missing and can be made, in the order of needs. What
// exists is used as it is. It changes nothing. The token must be allowed to
// view the kinds of objects in question.
func PlanFor(ctx context.Context, client *netbox.Client, needs []Need) (Plan, error) {
	p := &planner{client: client}
	for _, need := range needs {
		if err := need.plan(ctx, p); err != nil {
			return p.Plan, fmt.Errorf("plan bootstrap: %w", err)
		}
	}
	return p.Plan, nil
}

// planner is one call of PlanFor.
type planner struct {
	Plan
	client *netbox.Client
	tags   []tagInfo // nil: not read yet
}

package apply

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// netbox writes steps from to to (excluded), and returns the journal entries
// of those that were carried out.
func (r *runner) netbox(ctx context.Context, from, to int) (journal []netboxio.Write) {
	var index []int
	var writes []netboxio.Write
	for i := from; i < to; i++ {
		if r.allowed(i) {
			index = append(index, i)
			writes = append(writes, r.write(&r.plan.Steps[i]))
		}
	}
	for start := 0; start < len(writes) && r.stopped == nil; start += atOnce {
		if ctx.Err() != nil {
			r.stopped = context.Cause(ctx)
			break
		}
		end := min(start+atOnce, len(writes))
		journal = append(journal, r.writeSome(ctx, index[start:end], writes[start:end])...)
	}
	return journal
}

// atOnce is how many writes are given to NetBox before looking whether the run
// is to end: a few seconds' worth.
const atOnce = 250

// writeSome does some writes. Once begun they are not cut off: an interrupted
// run ends between requests.
func (r *runner) writeSome(ctx context.Context, index []int, writes []netboxio.Write) (journal []netboxio.Write) {
	before := r.done
	results := netboxio.ApplyNoting(context.WithoutCancel(ctx), r.targets.NetBox, writes, func(done int) {
		r.progress(before + done - r.done)
	}, r.options.making)
	r.progress(before + len(writes) - r.done)
	for n, result := range results {
		i := index[n]
		r.report.Results[i].Outcome, r.report.Results[i].err = result.Outcome, result.Err
		s := &r.plan.Steps[i]
		if s.Journal != "" && result.Outcome == netboxio.Done {
			journal = append(journal, journalEntry(s, result.ID))
		}
	}
	if err := r.outOfReach(results); err != nil {
		r.stopped = fmt.Errorf("NetBox is out of reach: %w", err)
	}
	if r.blocked = blocked(r.blocked, results); r.blocked >= mostBlocked {
		r.stopped = fmt.Errorf("NetBox can be read, but no write gets through to it: %w", results[len(results)-1].Err)
	}
	return journal
}

// mostBlocked is how many writes in a row may be stopped by something in front
// of NetBox, each looked for by itself, before it is taken to stop them all.
const mostBlocked = 3 * atOnce

// blocked counts on how many writes in a row were stopped by something in front
// of NetBox.
func blocked(before int, results []netboxio.Result) int {
	for _, result := range results {
		switch kind := netbox.KindOf(result.Err); {
		case result.Outcome == netboxio.Refused && (kind == netbox.NotNetBox || kind == netbox.Redirected):
			before++
		default:
			before = 0
		}
	}
	return before
}

// outOfReach is what is wrong with NetBox as a whole; nil: nothing. Without a
// right for one kind of write the others go on, and so they do where NetBox has an
// exception for some objects, but not for many in a row (rule 3.8).
func (r *runner) outOfReach(results []netboxio.Result) error {
	for _, result := range results {
		_, reading := errors.AsType[*netbox.ReadError](result.Err)
		switch e, ok := errors.AsType[*netbox.Error](result.Err); {
		case result.Outcome != netboxio.Failed:
			r.exceptions = 0
		case reading:
			return result.Err
		case ok && e.Kind == netbox.Forbidden:
		case ok && e.Status == http.StatusInternalServerError:
			if r.exceptions++; r.exceptions >= netboxio.MostExceptions {
				return result.Err
			}
		default:
			return result.Err
		}
	}
	return nil
}

// write is a step in the words of NetBox.
func (r *runner) write(s *plan.Step) netboxio.Write {
	w := netboxio.Write{
		Kind: s.Kind, Action: s.Action, ID: s.ID, Set: make(map[string]any), Before: make(map[string]any),
		AddTags: s.AddTags, RemoveTags: s.RemoveTags, VRF: s.VRF, Message: fmt.Sprintf("%s: %s (%s)", r.options.Message, s.Why, s.Rule),
	}
	if s.Kind == state.IPAddress {
		w.Host = s.Addr
	}
	for _, c := range s.Changes {
		w.Set[c.Field] = c.New
		if s.Action != state.Create {
			w.Before[c.Field] = c.Old
		}
	}
	for _, c := range s.Observed {
		w.Before[c.Field] = c.Old
	}
	if s.Action != state.Create { // Policy.Allowed relied on these values of the step
		switch s.Kind {
		case state.IPRange:
			if _, adopted := w.Set["role"]; !adopted { // else it has the role of before (rule 4 step 6)
				w.Before["role"] = state.RoleScope
			}
		case state.ConfigContext:
			w.Before["name"] = s.Name
		}
	}
	return w
}

// journalEntry makes the entry of a step: information about what was created, a
// warning about a change that the operator has to know of.
func journalEntry(s *plan.Step, id int64) netboxio.Write {
	kind := "warning"
	if s.Action == state.Create {
		kind = "info"
	}
	return netboxio.Write{
		Kind: state.JournalEntry, Action: state.Create,
		Set: map[string]any{
			"assigned_object_type": string(s.Kind), "assigned_object_id": id, "kind": kind, "comments": s.Journal,
		},
	}
}

// journal writes the entries in one go at the end. One that fails is only
// logged: the step it tells of is done, and is not done again.
func (r *runner) journal(ctx context.Context, entries []netboxio.Write) {
	if len(entries) == 0 {
		return
	}
	for _, result := range netboxio.Apply(context.WithoutCancel(ctx), r.targets.NetBox, entries, nil) {
		if result.Err != nil {
			r.options.Log.WithError(result.Err).Warn("journal entry not written")
			return
		}
	}
}

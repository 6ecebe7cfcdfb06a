package netboxio

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Apply carries writes out, in their order, in as few requests as possible:
// consecutive ones of one kind and action go together. Each depends on what
// the object shows just before (see Write), so the same writes may be
// given again after any trouble. One that NetBox does not take holds up none
// of the others. A kind and action the token has no permission for is tried
// once, and NetBox out of reach ends everything. progress, if not nil, is told
// how many writes are decided.
func Apply(ctx context.Context, c *netbox.Client, writes []Write, progress func(done int)) []Result {
	return ApplyNoting(ctx, c, writes, progress, func(*Making) {})
}

// ApplyNoting is Apply that tells note of each request that makes objects before
// it is sent, and nil once its outcome is known: see Making.
func ApplyNoting(ctx context.Context, c *netbox.Client, writes []Write, progress func(done int), note func(*Making)) []Result {
	w := &writer{client: c, writes: writes, results: make([]Result, len(writes)), denied: make(map[kindAction]error), alone: none, note: note}
	if err := w.prepare(ctx); err != nil {
		w.fail(w.undecided(0, len(writes)), &netbox.ReadError{Err: err})
		return w.results
	}
	for from := 0; from < len(writes); {
		to := from + 1
		for to < len(writes) && w.kindAction(to) == w.kindAction(from) {
			to++
		}
		if err := w.run(ctx, w.kindAction(from), from, to, progress); err != nil {
			w.fail(w.undecided(from, len(writes)), err)
			break
		}
		from = to
	}
	if progress != nil {
		progress(len(writes))
	}
	return w.results
}

// kindAction is what writes in one request have in common.
type kindAction struct {
	kind   state.Kind
	action state.Action
}

// writer is one call of Apply. Writes go by their index.
type writer struct {
	client  *netbox.Client
	version netbox.Version
	writes  []Write
	results []Result
	tags    map[string]int64 // ids by slug, of the tags that occur
	denied  map[kindAction]error
	note    func(*Making)
	passed  []int // that NetBox passed over in the last batch
	alone   int   // the write that was given up last, while none was decided since; none: there is no such
}

// none is no index of a write.
const none = -1

func (w *writer) kindAction(i int) kindAction {
	return kindAction{w.writes[i].Kind, w.writes[i].Action}
}

// prepare finds out what all writes need to know.
func (w *writer) prepare(ctx context.Context) (err error) {
	if w.version, err = w.client.Version(ctx); err != nil {
		return err
	}
	wanted := make(map[string]bool)
	for _, write := range w.writes {
		for _, slug := range slices.Concat(write.AddTags, write.RemoveTags) {
			wanted[slug] = true
		}
	}
	w.tags = make(map[string]int64)
	for batch := range slices.Chunk(slices.Sorted(maps.Keys(wanted)), valuesAtATime) {
		found := make(map[string]int64)
		if _, err := slugs(ctx, w.client, netbox.Tags, url.Values{"slug": batch}, found); err != nil {
			return err
		}
		maps.Copy(w.tags, found)
	}
	return nil
}

// run carries out writes of one kind and action, from one index up to another.
// An error means that NetBox cannot be written to now: the writes that are left
// fail.
func (w *writer) run(ctx context.Context, k kindAction, from, to int, progress func(done int)) error {
	waits := backoff.NewExponentialBackOff() // with jitter
	waits.InitialInterval, waits.Multiplier, waits.MaxInterval = w.client.FirstRetry(), 2, 30*time.Second
	tries, exceptions := 0, 0
	if w.alone != none {
		tries = writeTries - 1
	}
	for {
		left := w.undecided(from, to)
		if err := w.denied[k]; err != nil {
			w.fail(left, err)
			return nil
		}
		if progress != nil {
			progress(to - len(left))
		}
		if len(left) == 0 {
			return nil
		}
		batch := w.batch(left)
		err := w.step(ctx, k, batch)
		if w.inBetween(ctx, k, err) {
			err = w.isolate(ctx, k, batch)
		}
		decided := len(w.undecided(from, to)) < len(left)
		if decided {
			tries, w.alone = 0, none
			waits.Reset()
		}
		if err == nil {
			exceptions = 0
			continue
		}
		switch e := w.trouble(ctx, k, err); {
		case w.denied[k] != nil:
		case e == nil:
			return err
		case tries+1 < writeTries && (len(batch) > 1 || !aboutContent(e)):
			tries++
			if err := pause(ctx, e, waits.NextBackOff(), w.client.FirstRetry()); err != nil {
				return err
			}
		case aboutContent(e):
			w.fail(batch, err)
			if exceptions++; exceptions == MostExceptions {
				return err
			}
			tries = 0
		case len(batch) == 1 && w.alone == none && w.answers(ctx, k):
			w.giveUp(batch[0], e)
			w.alone, tries = batch[0], writeTries-1
		default:
			w.takeBack()
			return err
		}
	}
}

// undecided lists the writes from one index up to another that have no result.
func (w *writer) undecided(from, to int) []int {
	var left []int
	for i := from; i < to; i++ {
		if w.results[i].Outcome == "" {
			left = append(left, i)
		}
	}
	return left
}

func (w *writer) fail(batch []int, err error) {
	for _, i := range batch {
		if w.results[i].Outcome == "" {
			w.results[i] = Result{Outcome: Failed, ID: w.writes[i].ID, Err: fmt.Errorf("%s: %w", w.what(i), err)}
		}
	}
}

// batch takes as many of left as go in one request. A second write of the same
// object waits for the next request.
func (w *writer) batch(left []int) []int {
	seen := make(map[string]bool)
	size := min(w.client.BatchSize(), len(left))
	for n, i := range left[:size] {
		key := w.key(i)
		if key != "" && seen[key] {
			return left[:n]
		}
		seen[key] = true
	}
	return left[:size]
}

// key names the object of a write; empty if nothing else can be about it.
func (w *writer) key(i int) string {
	write := w.writes[i]
	if write.Action != state.Create {
		return number(write.ID)
	}
	if natural := naturalKeys(write.Kind); natural != nil {
		return natural.of(write)
	}
	return ""
}

// step carries out one batch.
func (w *writer) step(ctx context.Context, k kindAction, batch []int) error {
	table := tableFor(k.kind)
	if table == "" {
		for _, i := range batch {
			w.refused(i, "the mirror does not write this kind of object")
		}
		return nil
	}
	if k.action == state.Create {
		return w.create(ctx, table, batch)
	}
	w.passed = nil
	err := w.client.WriteIf(ctx, netbox.Conditional{
		Table: table, Delete: k.action == state.Delete, Job: updateJob{w},
		Columns: w.columns(batch, "id", "address", "vrf", "tags", "last_updated"),
	}, batch)
	w.lookForPassed(ctx, table)
	return err
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// columns lists the fields that writes of a batch compare, and more.
func (w *writer) columns(batch []int, more ...string) string {
	var sets []map[string]any
	for _, i := range batch {
		sets = append(sets, w.writes[i].Set, w.writes[i].Before)
	}
	names := append(netbox.Columns(sets...), more...)
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ",")
}

// tableFor is the list that objects of a kind are in; empty for kinds the
// mirror has nothing to do with.
func tableFor(k state.Kind) netbox.Table {
	for _, table := range []netbox.Table{netbox.Addresses, netbox.Ranges, netbox.Prefixes, netbox.Contexts, netbox.Journal} {
		if table.Model() == string(k) {
			return table
		}
	}
	return ""
}

// what says which object a write is about.
func (w *writer) what(i int) string {
	write := w.writes[i]
	name := string(write.Kind)
	if e := tableFor(write.Kind); e != "" {
		name = e.Noun()
	}
	text := string(write.Action) + " " + name
	switch {
	case write.Host.IsValid():
		text += " " + write.Host.String()
	case write.ID != 0:
		text += " " + number(write.ID)
	}
	return text
}

func (w *writer) refused(i int, why string) {
	w.results[i] = Result{Outcome: Refused, ID: w.writes[i].ID, Err: &netbox.Error{Kind: netbox.Invalid, Op: w.what(i), Message: why}}
}

func (w *writer) changed(i int, id int64, why string) {
	w.results[i] = Result{Outcome: Changed, ID: id, Err: fmt.Errorf("%s: %s", w.what(i), why)}
}

// body is what sets fields, in NetBox's form.
func (w *writer) body(i int, set map[string]any) map[string]any {
	body, custom := make(map[string]any, len(set)+2), make(map[string]any)
	for field, value := range set {
		if name, ok := strings.CutPrefix(field, netbox.CustomPrefix); ok {
			custom[name] = value
		} else {
			body[field] = value
		}
	}
	if len(custom) > 0 {
		body["custom_fields"] = custom
	}
	if message := w.version.ChangelogMessage(w.writes[i].Message); message != "" {
		body["changelog_message"] = message
	}
	return body
}

// tagIDs are the ids of tags; ok is false, and the write refused, if one does
// not exist. Ids need no permission to see tags.
func (w *writer) tagIDs(i int, slugs []string) (ids []int64, ok bool) {
	ids = make([]int64, 0, len(slugs))
	for _, slug := range slugs {
		id, known := w.tags[slug]
		if !known {
			w.refused(i, "the tag "+slug+" does not exist: create it (the bootstrap command does)")
			return nil, false
		}
		ids = append(ids, id)
	}
	return ids, true
}

package follow

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// reader reads lists of NetBox into tables.
type reader struct {
	client *netbox.Client
	decode decoder
}

func newReader(c *netbox.Client, config Config) *reader {
	return &reader{client: c, decode: decoder{
		fields: config.Fields, contextKey: config.ContextKey, gateFields: config.GateFields,
		defined: make(map[string]bool), contexts: make(map[string]json.RawMessage),
	}}
}

// selection is what is asked of a table: its columns, and which rows.
func selection(e netbox.Table) url.Values {
	q := filter(e)
	q.Set("fields", columns(e))
	return q
}

// filter leaves out rows that never concern us. It names only parameters that
// every supported NetBox knows: an unknown one is ignored (NB-1.5).
func filter(e netbox.Table) url.Values {
	switch e {
	case netbox.Addresses, netbox.Prefixes, netbox.Ranges:
		return url.Values{"family": {"4"}}
	case netbox.Contexts:
		return url.Values{"is_active": {"true"}}
	}
	return url.Values{}
}

// heads is what is asked of a table to learn only which rows there are, and
// when they changed.
func heads(e netbox.Table) url.Values {
	q := filter(e)
	q.Set("fields", "id,last_updated")
	if e == netbox.Devices || e == netbox.VMs {
		// Old servers compute the context of each row in spite of fields=,
		// unless exclude= or omit= forbids it (NB-1.4).
		q.Set("exclude", "config_context")
		q.Set("omit", "config_context")
	}
	return q
}

// load reads everything. The marks are taken first, so that what changes
// during the load is read again by the next poll.
func (r *reader) load(ctx context.Context) (*tables, error) {
	if _, err := r.client.Version(ctx); err != nil {
		return nil, err
	}
	p := newTables()
	if err := r.readMarks(ctx, p); err != nil {
		return nil, err
	}
	small := newTables()
	group, loadCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.readSmall(loadCtx, small) })
	var mu sync.Mutex
	for _, e := range []netbox.Table{netbox.Addresses, netbox.MACs} {
		group.Go(func() error {
			return r.client.ListLarge(loadCtx, e, selection(e), func(raw json.RawMessage) (int64, error) {
				mu.Lock()
				defer mu.Unlock()
				row := r.decode.row(e, raw)
				p.put(e, row)
				return row.id, nil
			})
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	p.adoptSmall(small, smallTables())
	if err := r.complete(ctx, p); err != nil {
		return nil, err
	}
	return p, nil
}

// readMarks notes how new the newest row of each followed table is.
func (r *reader) readMarks(ctx context.Context, p *tables) error {
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	for _, e := range followedTables() {
		group.Go(func() error {
			// Rows without last_updated would be sorted first.
			q := heads(e)
			q.Set("ordering", "-last_updated")
			q.Set("limit", "1")
			q.Set("last_updated__gte", netbox.FilterTime(time.Unix(0, 0)))
			page, err := r.client.FirstPage(ctx, e, q)
			if err != nil || len(page) == 0 {
				return err
			}
			row := r.decode.head(page[0])
			mu.Lock()
			defer mu.Unlock()
			p.marks[e] = notAhead(r.client, row.stamp)
			return nil
		})
	}
	return group.Wait()
}

// readSmall reads the small tables whole.
func (r *reader) readSmall(ctx context.Context, p *tables) error {
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	for _, e := range smallTables() {
		if e == netbox.Contexts {
			group.Go(func() error { return r.readContexts(ctx, &mu, p) })
			continue
		}
		group.Go(func() error {
			return r.client.List(ctx, e, selection(e), func(raw json.RawMessage) (int64, error) {
				mu.Lock()
				defer mu.Unlock()
				row := r.decode.row(e, raw)
				p.put(e, row)
				return row.id, nil
			})
		})
	}
	return group.Wait()
}

// readContexts reads the config contexts in NetBox's own order, which paging
// by id would lose. A list that changes between two pages is read again.
func (r *reader) readContexts(ctx context.Context, mu *sync.Mutex, p *tables) error {
	rows, err := r.client.ListInOrder(ctx, netbox.Contexts, selection(netbox.Contexts))
	if err != nil {
		return err
	}
	sum := sha256.New()
	mu.Lock()
	defer mu.Unlock()
	for _, raw := range rows {
		fmt.Fprintf(sum, "%d %s", len(raw), raw)
		p.put(netbox.Contexts, r.decode.row(netbox.Contexts, raw))
	}
	sum.Sum(p.contexts[:0])
	return nil
}

// complete reads what the MACs lead to: the interfaces that own them, the
// aggregates those are members of, and the machines behind them. What NetBox
// does not show is asked for again next time.
func (r *reader) complete(ctx context.Context, p *tables) error {
	for _, kind := range []ipam.Kind{ipam.Device, ipam.VirtualMachine} {
		// The second round reads the aggregates of the first.
		for range 2 {
			if err := r.fetch(ctx, p, InterfacesOf(kind), p.missingInterfaces(kind)); err != nil {
				return err
			}
		}
		if err := r.fetch(ctx, p, machinesOf(kind), p.missingMachines(kind)); err != nil {
			return err
		}
	}
	return nil
}

// askBehindLost reads what MACs lead to that vanished: it may be shown still.
func (f *Follower) askBehindLost(ctx context.Context, r *reader, next *tables) error {
	ids := make(map[ipam.Kind]map[int64]bool)
	ask := func(id int64, value any) {
		if at := (object{netbox.MACs, id}); next.shows(at) || f.deleted.has(at) {
			return
		}
		owner := value.(*ipam.MACAddress).Interface
		if owner.Kind == 0 || next.has(InterfacesOf(owner.Kind), owner.ID) {
			return
		}
		if ids[owner.Kind] == nil {
			ids[owner.Kind] = make(map[int64]bool)
		}
		ids[owner.Kind][owner.ID] = true
	}
	rowsOf(netbox.MACs).each(&f.tables.objects, ask)
	for at, kept := range f.guard.lost {
		if at.table == netbox.MACs {
			ask(at.id, kept.value)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	for kind, list := range ids {
		if err := r.fetch(ctx, next, InterfacesOf(kind), slices.Sorted(maps.Keys(list))); err != nil {
			return err
		}
	}
	return r.complete(ctx, next)
}

// fetch reads the rows of e with the given ids. Those that NetBox does not
// have any more are removed.
func (r *reader) fetch(ctx context.Context, p *tables, e netbox.Table, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	rows := make(map[int64]row, len(ids))
	err := r.client.ListByID(ctx, e, selection(e), ids, func(raw json.RawMessage) (int64, error) {
		row := r.decode.row(e, raw)
		rows[row.id] = row
		return row.id, nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if row, ok := rows[id]; ok {
			p.put(e, row)
		} else {
			p.remove(e, id)
		}
	}
	return nil
}

// notAhead keeps a time from lying in the server's future: one row with a
// stamp from a wrong clock must not hide everything that changes until then.
func notAhead(c *netbox.Client, t time.Time) time.Time {
	if now := time.Now().Add(c.Skew()); t.After(now) {
		return now
	}
	return t
}

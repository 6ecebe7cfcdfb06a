package follow

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// reader reads lists of NetBox into tables.
type reader struct {
	client   *netbox.Client
	decode   decoder
	circuits bool // far ends of cables and all ports of switches are read (CL-20, CL-21)
}

func newReader(c *netbox.Client, config Config) *reader {
	return &reader{client: c, circuits: config.Options.Circuits, decode: decoder{
		fields: config.Fields, contextKey: config.ContextKey, gateFields: config.GateFields,
		defined: make(map[string]bool), contexts: make(map[string]json.RawMessage), expiries: make(map[int64]string),
	}}
}

// selection is what is asked of a table: its columns, and which rows.
func (r *reader) selection(table netbox.Table) url.Values {
	q := filter(table)
	q.Set("fields", columns(table))
	if r.circuits && table == netbox.Interfaces {
		q.Set("fields", columns(table)+endColumns)
	}
	return q
}

// filter leaves out rows that never concern us. It names only parameters that
// every supported NetBox knows: an unknown one is ignored (NB-1.5).
func filter(table netbox.Table) url.Values {
	switch table {
	case netbox.Addresses, netbox.Prefixes, netbox.Ranges:
		return url.Values{"family": {"4"}}
	case netbox.Contexts:
		return url.Values{"is_active": {"true"}}
	}
	return url.Values{}
}

// heads is what is asked of a table to learn only which rows there are, and
// when they changed.
func heads(table netbox.Table) url.Values {
	q := filter(table)
	q.Set("fields", "id,last_updated")
	if table == netbox.Devices || table == netbox.VMs {
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
	t := newTables()
	if err := r.readMarks(ctx, t); err != nil {
		return nil, err
	}
	small := newTables()
	group, loadCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.readSmall(loadCtx, small) })
	var mu sync.Mutex
	for _, table := range []netbox.Table{netbox.Addresses, netbox.MACs} {
		group.Go(func() error {
			return r.client.ListLarge(loadCtx, table, r.selection(table), func(raw json.RawMessage) (int64, error) {
				mu.Lock()
				defer mu.Unlock()
				row := r.decode.row(table, raw)
				t.put(table, row)
				return row.id, nil
			})
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	t.adoptSmall(small, smallTables())
	if err := r.complete(ctx, t); err != nil {
		return nil, err
	}
	return t, nil
}

// readMarks notes how new the newest row of each followed table is.
func (r *reader) readMarks(ctx context.Context, t *tables) error {
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	for _, table := range followedTables() {
		group.Go(func() error {
			// Rows without last_updated would be sorted first.
			q := heads(table)
			q.Set("ordering", "-last_updated")
			q.Set("limit", "1")
			q.Set("last_updated__gte", netbox.FilterTime(time.Unix(0, 0)))
			page, err := r.client.FirstPage(ctx, table, q)
			if err != nil || len(page) == 0 {
				return err
			}
			row := r.decode.head(page[0])
			mu.Lock()
			defer mu.Unlock()
			t.marks[table] = notAhead(r.client, row.stamp)
			return nil
		})
	}
	return group.Wait()
}

// readSmall reads the small tables whole.
func (r *reader) readSmall(ctx context.Context, t *tables) error {
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	for _, table := range smallTables() {
		if table == netbox.Contexts {
			group.Go(func() error { return r.readContexts(ctx, &mu, t) })
			continue
		}
		group.Go(func() error {
			return r.client.List(ctx, table, r.selection(table), func(raw json.RawMessage) (int64, error) {
				mu.Lock()
				defer mu.Unlock()
				row := r.decode.row(table, raw)
				t.put(table, row)
				return row.id, nil
			})
		})
	}
	return group.Wait()
}

// readContexts reads the config contexts in NetBox's own order, which paging
// by id would lose. A list that changes between two pages is read again.
func (r *reader) readContexts(ctx context.Context, mu *sync.Mutex, t *tables) error {
	rows, err := r.client.ListInOrder(ctx, netbox.Contexts, r.selection(netbox.Contexts))
	if err != nil {
		return err
	}
	sum := sha256.New()
	mu.Lock()
	defer mu.Unlock()
	for _, raw := range rows {
		fmt.Fprintf(sum, "%d %s", len(raw), raw)
		t.put(netbox.Contexts, r.decode.row(netbox.Contexts, raw))
	}
	sum.Sum(t.contexts[:0])
	return nil
}

// complete reads what MACs and addresses lead to: the interfaces that own them,
// the aggregates, bridges and parents of those, the ports in their bridges, what
// cables lead to, and the machines behind them. What NetBox does not show is asked
// for again next time.
func (r *reader) complete(ctx context.Context, t *tables) error {
	for _, kind := range []ipam.Kind{ipam.Device, ipam.VirtualMachine} {
		// Each round reads what the one before leads to, until nothing is missing
		// but what NetBox does not show.
		var before []int64
		for range maxLinks {
			missing := t.missingInterfaces(kind)
			asked := slices.Equal(missing, before)
			if before = missing; asked {
				missing = nil
			}
			if err := r.fetch(ctx, t, InterfacesOf(kind), missing); err != nil {
				return err
			}
			if err := r.bridged(ctx, t, kind, missing); err != nil {
				return err
			}
			more, err := r.cabled(ctx, t, kind, missing)
			if err != nil {
				return err
			}
			if len(missing) == 0 && !more {
				break
			}
		}
		if err := r.fetch(ctx, t, machinesOf(kind), t.missingMachines(kind)); err != nil {
			return err
		}
	}
	return nil
}

// askBehindLost reads the interfaces that addresses and MACs lead to that
// vanished: they may be shown still.
func (f *Follower) askBehindLost(ctx context.Context, r *reader, next *tables) error {
	ids := map[netbox.Table]map[int64]bool{netbox.Interfaces: {}, netbox.VMInterfaces: {}}
	for _, table := range []netbox.Table{netbox.Addresses, netbox.MACs} {
		ask := func(id int64, value any) {
			at := object{table, id}
			if next.shows(at) || f.deleted.has(at) {
				return
			}
			for _, to := range pointers(value) {
				if to.id != 0 && !next.has(to.table, to.id) {
					ids[to.table][to.id] = true
				}
			}
		}
		rowsOf(table).each(&f.tables.objects, ask)
		for at, kept := range f.guard.lost {
			if at.table == table {
				ask(at.id, kept.value)
			}
		}
	}
	for table, list := range ids {
		if err := r.fetch(ctx, next, table, slices.Sorted(maps.Keys(list))); err != nil {
			return err
		}
	}
	if len(ids[netbox.Interfaces])+len(ids[netbox.VMInterfaces]) == 0 {
		return nil
	}
	return r.complete(ctx, next)
}

// maxLinks is how many links from interface to interface are followed.
const maxLinks = 8

// bridged reads the ports in those of the given interfaces that have addresses:
// such a port may have neither MAC nor address, and lead to one that has.
func (r *reader) bridged(ctx context.Context, t *tables, kind ipam.Kind, ids []int64) error {
	return r.portsBy(ctx, t, InterfacesOf(kind), "bridge_id", t.withoutMAC(kind, ids), func(port *ipam.Interface) int64 { return port.Bridge })
}

// portsBy reads the interfaces that lead to one of the given ids; param is the filter
// for it, and leads says what an interface leads to.
func (r *reader) portsBy(ctx context.Context, t *tables, table netbox.Table, param string, ids []int64, leads func(*ipam.Interface) int64) error {
	for batch := range slices.Chunk(ids, filtersAtATime) {
		q := r.selection(table)
		for _, id := range batch {
			q.Add(param, strconv.FormatInt(id, 10))
		}
		err := r.client.List(ctx, table, q, func(raw json.RawMessage) (int64, error) {
			row := r.decode.row(table, raw)
			if port, ok := row.value.(*ipam.Interface); ok && !slices.Contains(batch, leads(port)) {
				return row.id, netbox.Contradiction(table, "interface id %d has none of the values of %s that were asked for: the filter was ignored", row.id, param)
			}
			t.put(table, row)
			return row.id, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// filtersAtATime bounds the length of a URL.
const filtersAtATime = 100

// fetch reads the rows of a table with the given ids. Those that NetBox does not
// have any more are removed.
func (r *reader) fetch(ctx context.Context, t *tables, table netbox.Table, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	rows := make(map[int64]row, len(ids))
	err := r.client.ListByID(ctx, table, r.selection(table), ids, func(raw json.RawMessage) (int64, error) {
		row := r.decode.row(table, raw)
		rows[row.id] = row
		return row.id, nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if row, ok := rows[id]; ok {
			t.put(table, row)
		} else {
			t.remove(table, id)
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

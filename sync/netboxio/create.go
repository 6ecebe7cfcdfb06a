package netboxio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// valuesAtATime is how many addresses or names fit one request line.
const valuesAtATime = 100

// naturalKey is what identifies an object of a kind before it has an id.
type naturalKey struct {
	filter  string // that finds the objects with a value
	columns []string
	value   func(Write) string
	of      func(Write) string
	ofRow   func(*netbox.Shown) string
}

// naturalKeys gives the key of a kind; nil for journal entries, which have
// none.
func naturalKeys(k state.Kind) *naturalKey {
	switch k {
	case state.IPAddress:
		return &naturalKey{"address", []string{"address", "vrf"},
			func(w Write) string { return hostOf(w).String() },
			func(w Write) string { return fmt.Sprint(hostOf(w), " ", vrfOf(w)) },
			func(s *netbox.Shown) string { return fmt.Sprint(s.Host("address"), " ", s.VRF()) }}
	case state.IPRange:
		return &naturalKey{"start_address", []string{"start_address", "end_address", "vrf"},
			func(w Write) string { return setHost(w, "start_address").String() },
			func(w Write) string {
				return fmt.Sprint(setHost(w, "start_address"), " ", setHost(w, "end_address"), " ", vrfOf(w))
			},
			func(s *netbox.Shown) string {
				return fmt.Sprint(s.Host("start_address"), " ", s.Host("end_address"), " ", s.VRF())
			}}
	case state.IPPrefix:
		return &naturalKey{"prefix", []string{"prefix", "vrf"},
			func(w Write) string { return fmt.Sprint(w.Set["prefix"]) },
			func(w Write) string { return fmt.Sprint(w.Set["prefix"], " ", vrfOf(w)) },
			func(s *netbox.Shown) string { return fmt.Sprint(s.Text("prefix"), " ", s.VRF()) }}
	case state.ConfigContext:
		return &naturalKey{"name", []string{"name"},
			func(w Write) string { return fmt.Sprint(w.Set["name"]) },
			func(w Write) string { return fmt.Sprint(w.Set["name"]) },
			func(s *netbox.Shown) string { return s.Text("name") }}
	}
	return nil
}

// hostOf is the place of an address to create.
func hostOf(w Write) netip.Addr {
	if w.Host.IsValid() {
		return w.Host
	}
	return setHost(w, "address")
}

func setHost(w Write, field string) netip.Addr {
	p, err := netbox.ParseAddress(fmt.Sprint(w.Set[field]))
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr()
}

func vrfOf(w Write) int64 {
	if w.VRF != 0 {
		return w.VRF
	}
	return netbox.RefID(w.Set["vrf"])
}

// create makes the objects of a batch that do not exist yet.
func (w *writer) create(ctx context.Context, table netbox.Table, batch []int) error {
	if err := w.settle(ctx, table, batch, nil); err != nil {
		return err
	}
	batch = slices.DeleteFunc(slices.Clone(batch), func(i int) bool { return w.results[i].Outcome != "" })
	refusals := make(map[int]*netbox.Error)
	err := w.client.Create(ctx, netbox.Creation{
		Table:   table,
		Body:    w.newBody,
		Sending: w.making,
		Refuse:  func(i int, err *netbox.Error) { refusals[i] = err },
		Accept:  w.created,
	}, batch)
	if e, ok := errors.AsType[*netbox.Error](err); err == nil || ok && e.Status >= 400 && e.Status < 500 {
		w.note(nil)
	}
	// NetBox also refuses an object that was made meanwhile.
	var doubtful []int
	for i := range refusals {
		doubtful = append(doubtful, i)
	}
	slices.Sort(doubtful)
	if settleErr := w.settle(ctx, table, doubtful, refusals); err == nil {
		err = settleErr
	}
	return err
}

// settle sets the results of creates that need no more requests: the object
// exists by now, as wanted or with other values, or NetBox refused it and it
// does not exist.
func (w *writer) settle(ctx context.Context, table netbox.Table, batch []int, refusals map[int]*netbox.Error) error {
	existing, err := w.existing(ctx, table, batch)
	if err != nil {
		return &netbox.ReadError{Err: err}
	}
	for _, i := range batch {
		at := existing[w.key(i)]
		done := slices.IndexFunc(at, func(row *netbox.Shown) bool { return w.shows(i, row) })
		switch {
		case done >= 0:
			w.results[i] = Result{Outcome: Unchanged, ID: at[done].ID()}
		case len(at) > 0:
			w.changed(i, at[0].ID(), "it exists by now, with other values")
		case refusals[i] != nil:
			w.results[i] = Result{Outcome: Refused, Err: fmt.Errorf("%s: %w", w.what(i), refusals[i])}
		}
	}
	return nil
}

// existing reads the objects that are in the place of those to be made.
func (w *writer) existing(ctx context.Context, table netbox.Table, batch []int) (map[string][]*netbox.Shown, error) {
	if len(batch) == 0 {
		return nil, nil
	}
	natural := naturalKeys(w.writes[batch[0]].Kind)
	if natural == nil {
		return nil, nil
	}
	found := make(map[string][]*netbox.Shown)
	columns := w.columns(batch, append(natural.columns, "id", "tags")...)
	for part := range slices.Chunk(batch, valuesAtATime) {
		query := url.Values{"fields": {columns}}
		for _, i := range part {
			query.Add(natural.filter, natural.value(w.writes[i]))
		}
		err := w.client.List(ctx, table, query, func(raw json.RawMessage) (int64, error) {
			row, err := netbox.DecodeShown(raw)
			if err != nil {
				return 0, err
			}
			key := natural.ofRow(row)
			found[key] = append(found[key], row)
			return row.ID(), nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// newBody is the body that makes an object; nil if the write is refused.
func (w *writer) newBody(i int) any {
	write := w.writes[i]
	body := w.body(i, write.Set)
	if _, set := body["vrf"]; !set && write.VRF != 0 {
		body["vrf"] = write.VRF
	}
	if len(write.AddTags) > 0 {
		ids, ok := w.tagIDs(i, write.AddTags)
		if !ok {
			return nil
		}
		body["tags"] = ids
	}
	return body
}

// created takes the answer to a create: the new objects in the order of the
// request.
func (w *writer) created(sent []int, rows []json.RawMessage) {
	for n, i := range sent {
		row, err := netbox.DecodeShown(rows[n])
		switch {
		case err != nil, !w.shows(i, row):
			w.refused(i, notTakenOver)
			w.results[i].ID = netbox.IDOf(rows[n])
		default:
			w.results[i] = Result{Outcome: Done, ID: row.ID()}
		}
	}
}

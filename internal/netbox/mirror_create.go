package netbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// valuesAtATime is how many addresses or names fit one request line.
const valuesAtATime = 100

// naturalKey is what objects of a kind are told apart by before they have an
// id.
type naturalKey struct {
	filter  string // that finds the objects with a value
	columns []string
	value   func(state.Write) string
	of      func(state.Write) string
	ofRow   func(*showing) string
}

// naturalKeys gives the key of a kind; nil for journal entries, which have
// none.
func naturalKeys(k state.Kind) *naturalKey {
	switch k {
	case state.IPAddress:
		return &naturalKey{"address", []string{"address", "vrf"},
			func(w state.Write) string { return hostOf(w).String() },
			func(w state.Write) string { return fmt.Sprint(hostOf(w), " ", vrfOf(w)) },
			func(s *showing) string { return fmt.Sprint(s.host("address"), " ", s.vrf()) }}
	case state.IPRange:
		return &naturalKey{"start_address", []string{"start_address", "end_address", "vrf"},
			func(w state.Write) string { return setHost(w, "start_address").String() },
			func(w state.Write) string {
				return fmt.Sprint(setHost(w, "start_address"), " ", setHost(w, "end_address"), " ", vrfOf(w))
			},
			func(s *showing) string {
				return fmt.Sprint(s.host("start_address"), " ", s.host("end_address"), " ", s.vrf())
			}}
	case state.IPPrefix:
		return &naturalKey{"prefix", []string{"prefix", "vrf"},
			func(w state.Write) string { return fmt.Sprint(w.Set["prefix"]) },
			func(w state.Write) string { return fmt.Sprint(w.Set["prefix"], " ", vrfOf(w)) },
			func(s *showing) string { return fmt.Sprint(decodeAny(s.fields["prefix"]), " ", s.vrf()) }}
	case state.ConfigContext:
		return &naturalKey{"name", []string{"name"},
			func(w state.Write) string { return fmt.Sprint(w.Set["name"]) },
			func(w state.Write) string { return fmt.Sprint(w.Set["name"]) },
			func(s *showing) string { return fmt.Sprint(decodeAny(s.fields["name"])) }}
	}
	return nil
}

// hostOf is the place of an address to create.
func hostOf(w state.Write) netip.Addr {
	if w.Host.IsValid() {
		return w.Host
	}
	return setHost(w, "address")
}

func setHost(w state.Write, field string) netip.Addr {
	p, err := parseAddress(fmt.Sprint(w.Set[field]))
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr()
}

func vrfOf(w state.Write) int64 {
	if w.VRF != 0 {
		return w.VRF
	}
	id, _ := plain(canonical("vrf", roundTrip(w.Set["vrf"]))).(int64)
	return id
}

// roundTrip is a value as it is after passing through JSON.
func roundTrip(v any) any {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return decodeAny(raw)
}

// create makes the objects of a batch that do not exist yet.
func (w *mirrorWriter) create(ctx context.Context, table endpoint, batch []int) error {
	if err := w.settle(ctx, table, batch, nil); err != nil {
		return err
	}
	batch = slices.DeleteFunc(slices.Clone(batch), func(i int) bool { return w.results[i].Outcome != "" })
	refusals := make(map[int]*Error)
	err := w.client.Create(ctx, Creation{
		Table:  table,
		Body:   w.newBody,
		Refuse: func(i int, err *Error) { refusals[i] = err },
		Accept: w.created,
	}, batch)
	// Another may have been quicker, which NetBox refuses too.
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

// settle decides the creates of objects that exist by now, and those refused
// of objects that do not.
func (w *mirrorWriter) settle(ctx context.Context, table endpoint, batch []int, refusals map[int]*Error) error {
	existing, err := w.existing(ctx, table, batch)
	if err != nil {
		return &ReadError{err}
	}
	for _, i := range batch {
		at := existing[w.key(i)]
		done := slices.IndexFunc(at, func(row *showing) bool { return w.shows(i, row) })
		switch {
		case done >= 0:
			w.results[i] = state.Result{Outcome: state.Unchanged, ID: at[done].id()}
		case len(at) > 0:
			w.changed(i, at[0].id(), "it exists by now, with other values")
		case refusals[i] != nil:
			w.results[i] = state.Result{Outcome: state.Refused, Err: fmt.Errorf("%s: %w", w.what(i), refusals[i])}
		}
	}
	return nil
}

// existing reads the objects that are in the place of those to be made.
func (w *mirrorWriter) existing(ctx context.Context, table endpoint, batch []int) (map[string][]*showing, error) {
	if len(batch) == 0 {
		return nil, nil
	}
	natural := naturalKeys(w.writes[batch[0]].Kind)
	if natural == nil {
		return nil, nil
	}
	found := make(map[string][]*showing)
	columns := w.columns(batch, append(natural.columns, "id", "tags")...)
	for part := range slices.Chunk(batch, valuesAtATime) {
		query := url.Values{"fields": {columns}}
		for _, i := range part {
			query.Add(natural.filter, natural.value(w.writes[i]))
		}
		err := w.client.counted(ctx, table, query, func(raw json.RawMessage) (int64, error) {
			row, err := decodeShowing(raw)
			if err != nil {
				return 0, err
			}
			key := natural.ofRow(row)
			found[key] = append(found[key], row)
			return row.id(), nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// newBody is the body that makes an object; nil if the write is refused.
func (w *mirrorWriter) newBody(i int) any {
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
func (w *mirrorWriter) created(sent []int, rows []json.RawMessage) {
	for n, i := range sent {
		row, err := decodeShowing(rows[n])
		switch {
		case err != nil, !w.shows(i, row):
			w.refused(i, notTakenOver)
			w.results[i].ID = idOf(rows[n])
		default:
			w.results[i] = state.Result{Outcome: state.Done, ID: row.id()}
		}
	}
}

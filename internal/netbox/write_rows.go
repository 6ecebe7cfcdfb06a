package netbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	api "github.com/netbox-community/go-netbox/v4"
)

// recordWriter is one call of WriteRecords. Changes go by their index.
type recordWriter struct {
	client  *Client
	version Version
	changes []RecordChange
	results []RecordResult
	// unassignable says why the assignment of a change is left out.
	unassignable map[int]error
}

// write handles one batch: read, compare, write what differs. An error means
// that no further batch has a chance now.
func (w *recordWriter) write(ctx context.Context, batch []int) error {
	if len(batch) == 1 && w.version.AtLeast(4, 6) {
		return w.writeMatching(ctx, batch[0])
	}
	rows, err := w.read(ctx, batch)
	if err != nil {
		return err
	}
	var present []int
	for _, i := range batch {
		row, ok := rows[w.changes[i].ID]
		switch {
		case ok && row == nil:
			w.results[i] = w.refused(i, "NetBox shows the address in a form that cannot be read")
		case !ok || row.host() != w.changes[i].Addr:
			w.results[i] = RecordResult{Outcome: Gone}
		default:
			present = append(present, i)
		}
	}
	return w.send(ctx, present, rows)
}

// read gets the rows of a batch as they are now; nil for one that cannot be
// decoded.
func (w *recordWriter) read(ctx context.Context, batch []int) (map[int64]*addressRow, error) {
	ids := make([]int64, len(batch))
	for n, i := range batch {
		ids[n] = w.changes[i].ID
	}
	rows := make(map[int64]*addressRow, len(batch))
	query := url.Values{"fields": {columns(addresses)}}
	err := w.client.byID(ctx, addresses, query, ids, func(raw json.RawMessage) (int64, error) {
		row := new(addressRow)
		if err := json.Unmarshal(raw, row); err != nil {
			rows[row.ID] = nil
			return row.ID, nil
		}
		rows[row.ID] = row
		return row.ID, nil
	})
	return rows, err
}

// send writes rows in one request, which NetBox carries out whole or not at
// all. Rows it names as bad are taken out; where it names none, halves are
// tried until the bad row stands alone.
func (w *recordWriter) send(ctx context.Context, rows []int, state map[int64]*addressRow) error {
	rows = w.withoutEmpty(rows, state)
	if len(rows) == 0 {
		return nil
	}
	body := make([]*api.PatchedWritableIPAddressRequest, len(rows))
	for n, i := range rows {
		body[n] = w.request(i, state[w.changes[i].ID])
		body[n].AdditionalProperties["id"] = w.changes[i].ID
	}
	began := time.Now()
	got, err := w.client.once(ctx, http.MethodPatch, addresses, "", nil, body, nil)
	w.client.learnBatch(len(rows), time.Since(began), err)
	if err == nil {
		w.confirm(rows, got)
		return nil
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Kind != Invalid {
		return err
	}
	if len(rows) == 1 {
		if w.refuse(rows[0], state[w.changes[rows[0]].ID], err) {
			return w.send(ctx, rows, state)
		}
		return nil
	}
	if rest, found := w.takeOutBad(rows, state, e); found {
		return w.send(ctx, rest, state)
	}
	half := len(rows) / 2
	if err := w.send(ctx, rows[:half], state); err != nil {
		return err
	}
	return w.send(ctx, rows[half:], state)
}

// withoutEmpty drops rows for which nothing is left to write.
func (w *recordWriter) withoutEmpty(rows []int, state map[int64]*addressRow) (rest []int) {
	for _, i := range rows {
		row := state[w.changes[i].ID]
		if !w.patch(i, row).empty() {
			rest = append(rest, i)
			continue
		}
		w.results[i] = RecordResult{Outcome: Unchanged, Err: w.unassignable[i], LastUpdated: row.LastUpdated.Time}
	}
	return rest
}

// takeOutBad refuses the rows that NetBox 4.7 names as bad and gives the rest.
func (w *recordWriter) takeOutBad(rows []int, state map[int64]*addressRow, e *Error) (rest []int, found bool) {
	var said struct {
		Errors []struct {
			ID     json.Number     `json:"id"`
			Errors json.RawMessage `json:"errors"`
		} `json:"errors"`
	}
	if json.Unmarshal(e.body, &said) != nil {
		return rows, false
	}
	bad := make(map[string]string)
	for _, entry := range said.Errors {
		bad[entry.ID.String()] = message(&answer{body: entry.Errors, header: jsonHeader()})
	}
	for _, i := range rows {
		why, isBad := bad[number(w.changes[i].ID)]
		found = found || isBad
		err := &Error{Kind: Invalid, Op: e.Op, Status: e.Status, Message: why}
		if !isBad || w.refuse(i, state[w.changes[i].ID], err) {
			rest = append(rest, i)
		}
	}
	return rest, found
}

// confirm looks for each row in the answer, and whether it shows what was
// asked for: NetBox passes over rows the token may not change, and some
// versions over custom fields they do not know.
func (w *recordWriter) confirm(rows []int, got *answer) {
	var updated []json.RawMessage
	if err := json.Unmarshal(got.body, &updated); err != nil {
		for _, i := range rows {
			w.results[i] = RecordResult{Outcome: Retry, Err: notNetBox(got, http.MethodPatch, addresses)}
		}
		return
	}
	state := make(map[int64]*addressRow, len(updated))
	for _, raw := range updated {
		row := new(addressRow)
		if json.Unmarshal(raw, row) == nil {
			state[row.ID] = row
		}
	}
	for _, i := range rows {
		w.results[i] = w.verdict(i, state[w.changes[i].ID])
	}
}

func (w *recordWriter) verdict(i int, row *addressRow) RecordResult {
	if row == nil {
		return w.refused(i, notOurs)
	}
	if !w.patch(i, row).empty() {
		return w.refused(i, "NetBox did not take the values over: check that the custom fields exist for IP addresses, and their types")
	}
	return RecordResult{Outcome: Done, Err: w.unassignable[i], LastUpdated: row.LastUpdated.Time}
}

const notOurs = "NetBox passed the row over: the token may see it but not change it"

func (w *recordWriter) refused(i int, why string) RecordResult {
	return RecordResult{Outcome: Refused, Err: &Error{Kind: Invalid, Op: fmt.Sprintf("write the record of %s", w.changes[i].Addr), Message: why}}
}

// refuse gives row i up, unless only the assignment may be to blame, which is
// then left out: an address may be another machine's primary one.
func (w *recordWriter) refuse(i int, row *addressRow, err error) (again bool) {
	if w.patch(i, row).assign {
		w.unassignable[i] = err
		return true
	}
	w.results[i] = RecordResult{Outcome: Refused, Err: err}
	return false
}

// writeMatching writes one row on the condition that nobody changed it since
// it was read (S-3).
func (w *recordWriter) writeMatching(ctx context.Context, i int) error {
	for try := 1; ; try++ {
		row, tag, err := w.readOne(ctx, i)
		switch {
		case err != nil:
			return err
		case row == nil:
			w.results[i] = RecordResult{Outcome: Gone}
			return nil
		case w.patch(i, row).empty():
			w.results[i] = RecordResult{Outcome: Unchanged, Err: w.unassignable[i], LastUpdated: row.LastUpdated.Time}
			return nil
		}
		got, err := w.client.once(ctx, http.MethodPatch, addresses, w.object(i), nil, w.request(i, row), tag)
		switch kind := kindOf(err); {
		case err == nil:
			updated := new(addressRow)
			if err := json.Unmarshal(got.body, updated); err != nil {
				return notNetBox(got, http.MethodPatch, addresses)
			}
			w.results[i] = w.verdict(i, updated)
			return nil
		case kind == NotFound && try == matchTries:
			w.results[i] = w.refused(i, notOurs)
			return nil
		case kind == Changed && try == matchTries:
			w.results[i] = RecordResult{Outcome: Retry, Err: err}
			return nil
		case kind == NotFound, kind == Changed:
			// What it is like now shows when it is read again.
		case kind == Invalid && !w.refuse(i, row, err):
			return nil
		case kind != Invalid:
			return err
		}
	}
}

func (w *recordWriter) object(i int) string { return number(w.changes[i].ID) + "/" }

// readOne reads the address of change i and the header that makes a write
// depend on its state; nil for one that is gone.
func (w *recordWriter) readOne(ctx context.Context, i int) (*addressRow, http.Header, error) {
	got, err := w.client.get(ctx, addresses, w.object(i), nil)
	if kindOf(err) == NotFound {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	row := new(addressRow)
	if err := json.Unmarshal(got.body, row); err != nil {
		return nil, nil, notNetBox(got, http.MethodGet, addresses)
	}
	if row.host() != w.changes[i].Addr {
		return nil, nil, nil
	}
	header := http.Header{}
	if tag := got.header.Get("ETag"); tag != "" {
		header.Set("If-Match", tag)
	}
	return row, header, nil
}

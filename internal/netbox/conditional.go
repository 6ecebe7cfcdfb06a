package netbox

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// conditional is a write of objects that exist, each of which depends on what
// the object shows just before. Objects go by an index of the caller's.
type conditional interface {
	id(i int) int64
	// look takes the object as it is now, nil if it is not there, and gives
	// what to send; nil: nothing, and the outcome is known.
	look(i int, row json.RawMessage) any
	// refuse is told that NetBox does not take the body. It returns whether
	// look has another one.
	refuse(i int, err *Error) (again bool)
	// confirm takes the object as it is after the write; nil once deleted.
	confirm(i int, row json.RawMessage)
	// passedOver is told that the token may see the object but not write it.
	passedOver(i int)
	// elusive is told that the object changed before every try to write it.
	elusive(i int, err *Error)
}

// conditionalWriter carries conditional writes of one list out.
type conditionalWriter struct {
	client  *Client
	version Version
	table   endpoint
	method  string // PATCH or DELETE
	columns string // what look and confirm need of a row
	job     conditional
}

// write handles one batch: read, compare, write what differs. An error means
// that no further batch has a chance now.
func (w *conditionalWriter) write(ctx context.Context, batch []int) error {
	if len(batch) == 1 && w.version.AtLeast(4, 6) {
		return w.writeMatching(ctx, batch[0])
	}
	rows, err := w.rows(ctx, batch, w.columns)
	if err != nil {
		return &readError{err}
	}
	return w.client.send(ctx, bulk{
		method: w.method, table: w.table, id: w.job.id,
		body:   func(i int) any { return w.job.look(i, rows[w.job.id(i)]) },
		refuse: w.job.refuse,
		accept: func(sent []int, got *answer) error { return w.accept(ctx, sent, got) },
	}, batch)
}

// readError is trouble before anything was written; reads have been repeated
// as often as makes sense.
type readError struct{ error }

func (e *readError) Unwrap() error { return e.error }

// rows reads the objects of a batch, by id.
func (w *conditionalWriter) rows(ctx context.Context, batch []int, columns string) (map[int64]json.RawMessage, error) {
	ids := make([]int64, len(batch))
	for n, i := range batch {
		ids[n] = w.job.id(i)
	}
	rows := make(map[int64]json.RawMessage, len(batch))
	err := w.client.byID(ctx, w.table, with(nil, "fields", columns), ids, func(raw json.RawMessage) (int64, error) {
		id := idOf(raw)
		rows[id] = raw
		return id, nil
	})
	return rows, err
}

// idOf reads the id of a row; 0: it has none.
func idOf(raw json.RawMessage) int64 {
	var row struct {
		ID int64 `json:"id"`
	}
	if json.Unmarshal(raw, &row) != nil {
		return 0
	}
	return row.ID
}

// accept looks for each row in the answer: NetBox passes over rows the token
// may not change.
func (w *conditionalWriter) accept(ctx context.Context, sent []int, got *answer) error {
	if w.method == http.MethodDelete {
		return w.acceptDelete(ctx, sent)
	}
	var updated []json.RawMessage
	if json.Unmarshal(got.body, &updated) != nil {
		return notNetBox(got, w.method, w.table)
	}
	rows := make(map[int64]json.RawMessage, len(updated))
	for _, raw := range updated {
		rows[idOf(raw)] = raw
	}
	for _, i := range sent {
		if row, ok := rows[w.job.id(i)]; ok {
			w.job.confirm(i, row)
		} else {
			w.job.passedOver(i)
		}
	}
	return nil
}

// acceptDelete looks whether all rows are gone, which the answer does not tell
// before 4.7.
func (w *conditionalWriter) acceptDelete(ctx context.Context, sent []int) error {
	var left map[int64]json.RawMessage
	if !w.version.AtLeast(4, 7) {
		var err error
		if left, err = w.rows(ctx, sent, "id"); err != nil {
			return &readError{err}
		}
	}
	for _, i := range sent {
		if _, ok := left[w.job.id(i)]; ok {
			w.job.passedOver(i)
		} else {
			w.job.confirm(i, nil)
		}
	}
	return nil
}

// writeMatching writes one object on the condition that nobody changed it
// since it was read (S-3).
func (w *conditionalWriter) writeMatching(ctx context.Context, i int) error {
	object := number(w.job.id(i)) + "/"
	for try := 1; ; try++ {
		row, tag, err := w.client.readOne(ctx, w.table, object)
		if err != nil {
			return &readError{err}
		}
		body := w.job.look(i, row)
		if body == nil {
			return nil
		}
		got, err := w.client.once(ctx, w.method, w.table, object, nil, body, tag)
		if err == nil {
			w.job.confirm(i, got.body)
			return nil
		}
		e, ok := errors.AsType[*Error](err)
		switch {
		case !ok:
			return err
		case e.Kind == NotFound && try == matchTries:
			w.job.passedOver(i)
			return nil
		case e.Kind == Changed && try == matchTries:
			w.job.elusive(i, e)
			return nil
		case e.Kind == NotFound, e.Kind == Changed:
			// What it is like now shows when it is read again.
		case e.Kind != Invalid && e.Kind != Conflict:
			return err
		case !w.job.refuse(i, e):
			return nil
		}
	}
}

// notOurs is said of rows that are seen but not written.
const notOurs = "NetBox passed the row over: the token may see it but not change it"

// readOne reads an object and the header that makes a write depend on its
// state; nil for one that is gone.
func (c *Client) readOne(ctx context.Context, e endpoint, object string) (json.RawMessage, http.Header, error) {
	got, err := c.get(ctx, e, object, nil)
	if kindOf(err) == NotFound {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	header := http.Header{}
	if tag := got.header.Get("ETag"); tag != "" {
		header.Set("If-Match", tag)
	}
	return got.body, header, nil
}

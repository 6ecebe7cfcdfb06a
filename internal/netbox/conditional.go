package netbox

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// Job says what a conditional write is about: what is sent for each object,
// which depends on what the object shows just before, and what becomes of it.
// Objects go by an index of the caller's. For each index the job learns the end
// by itself: from Look that sends nothing, from Refuse that has no other body,
// or from Confirm, PassedOver or Contested.
type Job interface {
	// ID is the id of the object.
	ID(i int) int64
	// Look takes the object as it is now, nil if it is not there, and gives
	// what to send; nil: nothing, and the outcome is known.
	Look(i int, row json.RawMessage) any
	// Refuse is told that NetBox does not take the body. It returns whether
	// Look has another one.
	Refuse(i int, err *Error) (again bool)
	// Confirm takes the object as it is after the write; nil once deleted.
	Confirm(i int, row json.RawMessage)
	// PassedOver is told that the token may see the object but not write it.
	// NotWritable says so in words.
	PassedOver(i int)
	// Contested is told that the object changed before every try to write it.
	Contested(i int, err *Error)
}

// Conditional is a write of objects of one list that exist. Zero values: a
// change, not a delete.
type Conditional struct {
	Table   Table
	Delete  bool
	Columns string // what Look and Confirm need of a row, with "id", separated by commas
	Job     Job
}

// WriteIf changes or deletes the objects of batch, each only if it still shows
// what the job expects: all are read first, and what differs is sent in as few
// requests as possible. One object alone is written with If-Match where NetBox
// knows it (4.6), so that no change between reading and writing is lost. An
// error means that no further batch has a chance now; a *ReadError says that
// nothing was written.
func (c *Client) WriteIf(ctx context.Context, w Conditional, batch []int) error {
	version, err := c.Version(ctx)
	if err != nil {
		return &ReadError{err}
	}
	writer := &conditionalWriter{client: c, version: version, table: w.Table, method: http.MethodPatch, columns: w.Columns, job: w.Job}
	if w.Delete {
		writer.method = http.MethodDelete
	}
	return writer.write(ctx, batch)
}

// conditionalWriter carries conditional writes of one list out.
type conditionalWriter struct {
	client  *Client
	version Version
	table   Table
	method  string // PATCH or DELETE
	columns string
	job     Job
}

// write handles one batch: read, compare, write what differs. An error means
// that no further batch has a chance now.
func (w *conditionalWriter) write(ctx context.Context, batch []int) error {
	if len(batch) == 1 && w.version.AtLeast(4, 6) {
		return w.writeMatching(ctx, batch[0])
	}
	rows, err := w.rows(ctx, batch, w.columns)
	if err != nil {
		return &ReadError{err}
	}
	return w.client.send(ctx, bulk{
		method: w.method, table: w.table, id: w.job.ID,
		body:   func(i int) any { return w.job.Look(i, rows[w.job.ID(i)]) },
		refuse: w.refuse,
		accept: func(sent []int, rows []json.RawMessage) error { return w.accept(ctx, sent, rows) },
	}, batch)
}

// refuse takes a row out that NetBox does not take. One that went since it was read is
// looked at once more, as one that is not there.
func (w *conditionalWriter) refuse(i int, err *Error) (again bool) {
	if err.Kind == NotFound {
		return w.job.Look(i, nil) != nil
	}
	return w.job.Refuse(i, err)
}

// ReadError is trouble before anything was written; reads have been repeated
// as often as makes sense.
type ReadError struct{ Err error }

// Error is the cause in words.
func (e *ReadError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *ReadError) Unwrap() error { return e.Err }

// rows reads the objects of a batch, by id.
func (w *conditionalWriter) rows(ctx context.Context, batch []int, columns string) (map[int64]json.RawMessage, error) {
	ids := make([]int64, len(batch))
	for n, i := range batch {
		ids[n] = w.job.ID(i)
	}
	rows := make(map[int64]json.RawMessage, len(batch))
	err := w.client.ListByID(ctx, w.table, with(nil, "fields", columns), ids, func(raw json.RawMessage) (int64, error) {
		id := IDOf(raw)
		rows[id] = raw
		return id, nil
	})
	return rows, err
}

// IDOf reads the id of a row; 0: it has none.
func IDOf(raw json.RawMessage) int64 {
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
func (w *conditionalWriter) accept(ctx context.Context, sent []int, updated []json.RawMessage) error {
	if w.method == http.MethodDelete {
		return w.acceptDelete(ctx, sent)
	}
	rows := make(map[int64]json.RawMessage, len(updated))
	for _, raw := range updated {
		rows[IDOf(raw)] = raw
	}
	for _, i := range sent {
		if row, ok := rows[w.job.ID(i)]; ok {
			w.job.Confirm(i, row)
		} else {
			w.job.PassedOver(i)
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
			return &ReadError{err}
		}
	}
	for _, i := range sent {
		if _, ok := left[w.job.ID(i)]; ok {
			w.job.PassedOver(i)
		} else {
			w.job.Confirm(i, nil)
		}
	}
	return nil
}

// writeMatching writes one object if it was not changed since it was read
// (S-3).
func (w *conditionalWriter) writeMatching(ctx context.Context, i int) error {
	object := number(w.job.ID(i)) + "/"
	for try := 1; ; try++ {
		row, tag, err := w.client.readOne(ctx, w.table, object)
		if err != nil {
			return &ReadError{err}
		}
		body := w.job.Look(i, row)
		if body == nil {
			return nil
		}
		got, err := w.client.once(ctx, w.method, w.table, object, nil, body, tag)
		if err == nil {
			w.job.Confirm(i, got.body)
			return nil
		}
		e, ok := errors.AsType[*Error](err)
		switch {
		case !ok:
			return err
		case e.Kind == NotFound && try == matchTries:
			w.job.PassedOver(i)
			return nil
		case e.Kind == Outdated && try == matchTries:
			w.job.Contested(i, e)
			return nil
		case e.Kind == NotFound, e.Kind == Outdated:
			// What it is like now shows when it is read again.
		case e.Kind != Invalid && e.Kind != Conflict:
			return err
		case !w.job.Refuse(i, e):
			return nil
		}
	}
}

// NotWritable says in words why a row was seen but not written.
const NotWritable = "NetBox passed the row over: the token may see it but not change it"

// readOne reads an object and the header that makes a write depend on its
// state; nil for one that is gone.
func (c *Client) readOne(ctx context.Context, t Table, object string) (json.RawMessage, http.Header, error) {
	got, err := c.get(ctx, t, object, nil)
	if KindOf(err) == NotFound {
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

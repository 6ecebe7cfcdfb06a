package netbox

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

const (
	firstBatch       = 100 // rows of a bulk write
	largestBatch     = 250
	slowWrite        = 20 * time.Second // a bulk write this slow halves the next one
	quickWrite       = 5 * time.Second  // one this quick lets it grow
	maxMessageLength = 200              // characters of changelog_message; longer is a 500 (NB-1.10)
	matchTries       = 3                // of a single write whose object keeps changing (S-3)
)

// bulk is a write of many entries of one list in one request, which NetBox
// carries out whole or not at all. The caller names entries by an index.
type bulk struct {
	method string
	table  Table
	// id is that of the object of an entry; nil for objects yet to be made,
	// which NetBox names by their position.
	id func(i int) int64
	// body is an entry as it is sent; nil: nothing is left to send, and the
	// caller knows what became of it.
	body func(i int) any
	// refuse takes an entry out that NetBox does not take. It returns whether
	// the entry has another body to try.
	refuse func(i int, err *Error) (again bool)
	// sending is told of each request before it is sent; nil: there is no need.
	sending func(sent []int)
	// accept takes the rows of the answer to a request that was carried out;
	// none for deletes.
	accept func(sent []int, rows []json.RawMessage) error
}

// send writes entries. Those NetBox names as bad are taken out and the rest is
// sent again; where it names none, halves are tried until the bad one stands
// alone. An error means that NetBox cannot be written to now: entries that were
// neither accepted nor refused may have been written or not.
func (c *Client) send(ctx context.Context, b bulk, entries []int) error {
	var sent []int
	var bodies []any
	for _, i := range entries {
		if body := b.body(i); body != nil {
			sent, bodies = append(sent, i), append(bodies, body)
		}
	}
	if len(sent) == 0 {
		return nil
	}
	if b.sending != nil {
		b.sending(sent)
	}
	began := time.Now()
	got, err := c.once(ctx, b.method, b.table, "", nil, bodies, nil)
	c.learnBatch(len(sent), time.Since(began), err)
	if err == nil {
		rows, err := b.rows(sent, got)
		if err != nil {
			return err
		}
		return b.accept(sent, rows)
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || !e.aboutRows() {
		return err
	}
	if rest, found := b.takeOut(sent, e); found {
		return c.send(ctx, b, rest)
	}
	if len(sent) == 1 {
		if b.refuse(sent[0], e) {
			return c.send(ctx, b, sent)
		}
		return nil
	}
	half := len(sent) / 2
	if err := c.send(ctx, b, sent[:half]); err != nil {
		return err
	}
	return c.send(ctx, b, sent[half:])
}

// rows are the rows of an answer. New objects come in the order of the request.
func (b bulk) rows(sent []int, got *answer) ([]json.RawMessage, error) {
	if b.method == http.MethodDelete {
		return nil, nil
	}
	var rows []json.RawMessage
	if json.Unmarshal(got.body, &rows) != nil || b.method == http.MethodPost && len(rows) != len(sent) {
		return nil, notNetBox(got, b.method, b.table)
	}
	return rows, nil
}

// aboutRows reports whether a refusal is about what was sent and not about the
// request as a whole: 409 comes of deletes others depend on, and a 403 that
// names rows of the constraints of a permission.
func (e *Error) aboutRows() bool {
	switch e.Kind {
	case Invalid, Conflict:
		return true
	case Forbidden:
		return len(e.entries()) > 0
	}
	return false
}

// entryError is what NetBox says about one entry of a bulk write.
type entryError struct {
	ID     json.Number     `json:"id"`
	Index  *int            `json:"index"`
	Errors json.RawMessage `json:"errors"`
}

// entries reads the errors of a refused bulk write: by id or position from 4.7
// on, before that for creates only, as a list as long as the request
// (NB-1.10).
func (e *Error) entries() []entryError {
	var said struct {
		Errors []entryError `json:"errors"`
	}
	if json.Unmarshal(e.body, &said) == nil {
		return said.Errors
	}
	var aligned []map[string]json.RawMessage
	if json.Unmarshal(e.body, &aligned) != nil {
		return nil
	}
	var list []entryError
	for i, fields := range aligned {
		if len(fields) > 0 {
			raw, err := json.Marshal(fields)
			if err != nil {
				return nil
			}
			list = append(list, entryError{Index: &i, Errors: raw})
		}
	}
	return list
}

// gone reports whether the object is not there: what NetBox finds fault with is its
// id.
func (e *entryError) gone() bool {
	var fields map[string]json.RawMessage
	return json.Unmarshal(e.Errors, &fields) == nil && fields["id"] != nil
}

// takeOut refuses the entries that NetBox names as bad and gives the rest.
func (b bulk) takeOut(sent []int, e *Error) (rest []int, found bool) {
	byID, byIndex, gone := make(map[string]string), make(map[int]string), make(map[string]bool)
	for _, entry := range e.entries() {
		why := message(&answer{body: entry.Errors, header: jsonHeader()})
		if entry.Index != nil {
			byIndex[*entry.Index] = why
		} else {
			byID[entry.ID.String()], gone[entry.ID.String()] = why, entry.gone()
		}
	}
	for at, i := range sent {
		why, bad := byIndex[at]
		if !bad && b.id != nil {
			why, bad = byID[number(b.id(i))]
		}
		found = found || bad
		kind := e.Kind
		if b.id != nil && gone[number(b.id(i))] {
			kind = NotFound
		}
		if !bad || b.refuse(i, &Error{Kind: kind, Op: e.Op, Status: e.Status, Message: why, permission: e.permission}) {
			rest = append(rest, i)
		}
	}
	return rest, found
}

// BatchSize is how many rows the next Create or WriteIf should have: between 1
// and 250, learned from how long the last ones took.
func (c *Client) BatchSize() int {
	c.batchMu.Lock()
	defer c.batchMu.Unlock()
	return c.batch
}

// learnBatch aims at writes of a few seconds: the server's time grows with the
// rows, and proxies cut off what takes too long.
func (c *Client) learnBatch(rows int, took time.Duration, err error) {
	c.batchMu.Lock()
	defer c.batchMu.Unlock()
	kind := KindOf(err)
	switch {
	case kind == TimedOut, kind == TooLarge, kind == Unreachable, kind == Unavailable, took > slowWrite:
		c.batch = max(1, min(c.batch, rows)/2)
	case err == nil && rows >= c.batch && took < quickWrite:
		c.batch = min(largestBatch, c.batch+c.batch/4+1)
	}
}

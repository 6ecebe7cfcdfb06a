package netbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	api "github.com/netbox-community/go-netbox/v4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

const (
	firstBatch       = 100 // rows of a bulk write
	largestBatch     = 250
	slowWrite        = 20 * time.Second // a bulk write this slow halves the next one
	quickWrite       = 5 * time.Second  // one this quick lets it grow
	maxMessageLength = 200              // characters of changelog_message; longer is a 500 (1.10)
	matchTries       = 3                // of a single write whose object keeps changing (S-3)
)

// RecordChange says what the record of one address shall be.
type RecordChange struct {
	ID   int64      // of the address object
	Addr netip.Addr // its host address; an object renumbered meanwhile is Gone
	// Record is written whole, except that an empty Hostname leaves that field
	// as it is. A zero Expires clears the field.
	Record ipam.Record
	// Bind assigns the address to an interface; Unbind takes back an
	// assignment, if it is still to that interface. Both zero: the
	// assignment is not touched.
	Bind, Unbind ipam.InterfaceID
	// Message goes to NetBox's change log from 4.4 on.
	Message string
}

// Outcome is what became of one RecordChange.
type Outcome uint8

// The outcomes. Done and Unchanged both mean that NetBox shows the record.
const (
	Done      Outcome = iota + 1
	Unchanged         // it showed the record already; nothing was written (S-10)
	Gone              // the address object is not there any more
	Refused           // NetBox does not take it; the same change will fail again
	Retry             // trouble, or an unknown outcome: the same change may be tried again
)

// String names the outcome for logs and metrics.
func (o Outcome) String() string {
	switch o {
	case Done:
		return "done"
	case Unchanged:
		return "unchanged"
	case Gone:
		return "gone"
	case Refused:
		return "refused"
	case Retry:
		return "retry"
	}
	return "unknown"
}

// RecordResult belongs to the RecordChange of the same index.
type RecordResult struct {
	Outcome Outcome
	// Err is set for Refused and Retry. For Done and Unchanged it says why
	// only the assignment to an interface was left out.
	Err         error
	LastUpdated time.Time // of the row, for Done and Unchanged
}

// WriteRecords brings records of addresses up to date, in as few requests as
// possible. Every row is read just before, and one that shows the record
// already is not written: nothing is lost, and nothing written twice, by
// calling again with the same changes, whatever happened before. IDs must be
// distinct.
func (c *Client) WriteRecords(ctx context.Context, changes []RecordChange) []RecordResult {
	results := make([]RecordResult, len(changes))
	version, err := c.Version(ctx)
	if err != nil {
		return failAll(results, err)
	}
	w := &recordWriter{client: c, version: version, changes: changes, results: results, unassignable: make(map[int]error)}
	for done := 0; done < len(changes); {
		n := min(c.batchSize(), len(changes)-done)
		batch := make([]int, n)
		for i := range batch {
			batch[i] = done + i
		}
		if err := w.write(ctx, batch); err != nil {
			failAll(results, err)
			return results
		}
		done += n
	}
	return results
}

// failAll marks what has no outcome yet.
func failAll(results []RecordResult, err error) []RecordResult {
	for i := range results {
		if results[i].Outcome == 0 {
			results[i] = RecordResult{Outcome: Retry, Err: err}
		}
	}
	return results
}

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

func (r *addressRow) host() netip.Addr {
	p, err := parseAddress(r.Address)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr()
}

// patch is what has to be sent to make a row as wanted: nothing but what
// differs, and nothing but our own fields.
type patch struct {
	fields map[string]any
	assign bool
	to     ipam.InterfaceID // zero: to nothing
}

func (p patch) empty() bool { return len(p.fields) == 0 && !p.assign }

func (w *recordWriter) patch(i int, row *addressRow) patch {
	change, names := w.changes[i], w.client.fields
	have := names.record(row.CustomFields)
	p := patch{fields: make(map[string]any)}
	if names.MAC != "" && have.Client != clientKey(change.Record.Client) {
		p.fields[names.MAC] = textOrNull(change.Record.Client)
	}
	expires := change.Record.Expires.Truncate(time.Second)
	if names.Expire != "" && (have.Unreadable || !have.Expires.Equal(expires)) {
		p.fields[names.Expire] = nil
		if !expires.IsZero() {
			p.fields[names.Expire] = formatTime(expires)
		}
	}
	if names.Hostname != "" && change.Record.Hostname != "" && have.Hostname != change.Record.Hostname {
		p.fields[names.Hostname] = change.Record.Hostname
	}
	now, none := assignedTo(row.AssignedType, row.AssignedID), ipam.InterfaceID{}
	switch {
	case w.unassignable[i] != nil:
	case change.Bind != none:
		p.assign, p.to = now != change.Bind, change.Bind
	case change.Unbind != none:
		p.assign = now == change.Unbind
	}
	return p
}

func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// request is the body for row i in go-netbox's words.
func (w *recordWriter) request(i int, row *addressRow) *api.PatchedWritableIPAddressRequest {
	p := w.patch(i, row)
	r := api.NewPatchedWritableIPAddressRequest()
	if len(p.fields) > 0 {
		r.SetCustomFields(p.fields)
	}
	switch {
	case p.assign && p.to.Kind == 0:
		r.SetAssignedObjectTypeNil()
		r.SetAssignedObjectIdNil()
	case p.assign:
		r.SetAssignedObjectType(interfacesOf(p.to.Kind).model())
		r.SetAssignedObjectId(p.to.ID)
	}
	r.AdditionalProperties = make(map[string]any)
	if message := w.changes[i].Message; message != "" && w.version.AtLeast(4, 4) {
		runes := []rune(message)
		r.AdditionalProperties["changelog_message"] = string(runes[:min(len(runes), maxMessageLength)])
	}
	return r
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

// batchSize is how many rows the next bulk write may have.
func (c *Client) batchSize() int {
	c.batchMu.Lock()
	defer c.batchMu.Unlock()
	return c.batch
}

// learnBatch aims at writes of a few seconds: the server's time grows with the
// rows, and proxies cut off what takes too long.
func (c *Client) learnBatch(rows int, took time.Duration, err error) {
	c.batchMu.Lock()
	defer c.batchMu.Unlock()
	kind := kindOf(err)
	switch {
	case kind == TimedOut, kind == TooLarge, kind == Unreachable, kind == Unavailable, took > slowWrite:
		c.batch = max(1, min(c.batch, rows)/2)
	case err == nil && rows >= c.batch && took < quickWrite:
		c.batch = min(largestBatch, c.batch+c.batch/4+1)
	}
}

package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// writeEntry sends a change of one reservation as a list of one: the address and
// the scope say which, so no other can be meant (rule 1.9).
func (c *Client) writeEntry(ctx context.Context, k call, scope, addr netip.Addr, change map[string]any) error {
	entry := maps.Clone(change)
	if entry == nil {
		entry = map[string]any{}
	}
	entry["scope_id"], entry["ip_address"] = scope.String(), addr.String()
	k.path, k.class, k.body = "reservations", "reservations", []any{entry}
	got, err := c.once(ctx, k)
	if err != nil {
		return err
	}
	results, err := resultsOf(got.Body, 1)
	if err != nil {
		return c.decoding(err, k, got)
	}
	return c.entryError(results[0], k, scope, addr, got.Words)
}

// MostEntries is how many entries one list may have.
const MostEntries = 100

// NewReservation is a reservation to make in a scope.
type NewReservation struct {
	Scope netip.Addr
	windhcp.Reservation
}

// CreateReservations reserves up to MostEntries addresses with one request, on a
// server for which Lists holds. The errors are those of the entries, in their order
// and nil where one was made; one that is refused stops no other. err says why it
// is not known what became of them, or that nothing was sent.
func (c *Client) CreateReservations(ctx context.Context, list []NewReservation) (errs []error, err error) {
	k := call{op: fmt.Sprintf("create %d reservations", len(list)), method: http.MethodPost, path: "reservations", class: "reservations"}
	if !c.Lists() || len(list) == 0 || len(list) > MostEntries {
		return nil, k.invalid(errors.New("the server takes no list, or no such list"))
	}
	var body []any
	for _, one := range list {
		entry, err := newReservation(one.Scope, one.Reservation)
		if err != nil {
			return nil, k.invalid(err)
		}
		body = append(body, entry)
	}
	k.body = body
	got, err := c.once(ctx, k)
	if err != nil {
		return nil, err
	}
	results, err := resultsOf(got.Body, len(list))
	if err != nil {
		return nil, c.decoding(err, k, got)
	}
	for i, one := range list {
		k.op = opReserve + one.Addr.String()
		errs = append(errs, c.entryError(results[i], k, one.Scope, one.Addr, got.Words))
	}
	return errs, nil
}

// entryResult is what became of one entry of a list.
type entryResult struct {
	scope, addr netip.Addr
	status      string
	message, id string
}

// resultsOf reads the results of a list of n entries, in their order.
func resultsOf(body []byte, n int) ([]entryResult, error) {
	fields, err := object(body)
	if err != nil {
		return nil, err
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(fields["results"], &raw); err != nil {
		return nil, errors.New("the answer has no list of results")
	}
	if len(raw) != n {
		return nil, fmt.Errorf("the answer has %d results for %d entries", len(raw), n)
	}
	out := make([]entryResult, 0, n)
	for _, one := range raw {
		r, err := readRecord(one)
		if err != nil {
			return nil, err
		}
		out = append(out, entryResult{scope: r.needAddr("scope_id"), addr: r.needAddr("ip_address"), status: r.text("status"), message: r.text("error"), id: r.text("error_id")})
		if err := r.err(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// entryError is what a result means for the change of one address; nil: it was done.
func (c *Client) entryError(r entryResult, k call, scope, addr netip.Addr, words func(string) string) error {
	out := &Error{Kind: Rejected, Message: words(r.message), ID: words(r.id), entry: true}
	if out.ID != "" {
		out.Message += " (" + out.ID + ")"
	}
	switch {
	case r.scope != scope || r.addr != addr:
		out.Kind, out.Status = Garbled, http.StatusOK
		out.Err = fmt.Errorf("the answer is about %s in scope %s", r.addr, r.scope)
	case r.status == "ok":
		return nil
	case r.status == "not_found":
		out.Status = http.StatusNotFound
	case r.status == "error":
		out.Status = http.StatusInternalServerError
	default:
		out.Kind, out.Status = Garbled, http.StatusOK
		out.Err = fmt.Errorf("the answer has the result %s", rest.Clean(r.status, rest.MaxWords))
	}
	return c.about(out, k)
}

package netbox

import (
	"context"
	"encoding/json"
	"net/http"
)

// Creation makes objects of one list, as many as go in one request. Objects go
// by an index of the caller's.
type Creation struct {
	Table Table
	// Body is an object as it is sent; nil: nothing is sent, and the caller
	// knows why.
	Body func(i int) any
	// Sending is told of each request before it is sent: once it is, NetBox may
	// carry it out without its sender. nil: there is no need.
	Sending func(sent []int)
	// Refuse is told that NetBox does not take an object. The others are still
	// made.
	Refuse func(i int, err *Error)
	// Accept takes the objects that were made: rows[n] is that of sent[n]. It
	// may be called several times, for parts of the entries.
	Accept func(sent []int, rows []json.RawMessage)
}

// Create makes the objects of entries in one request, or in several where
// NetBox refuses some. An error means that what was neither accepted nor
// refused may have been made or not: look before trying again.
func (c *Client) Create(ctx context.Context, n Creation, entries []int) error {
	return c.send(ctx, bulk{
		method: http.MethodPost, table: n.Table, body: n.Body, sending: n.Sending,
		refuse: func(i int, err *Error) bool { n.Refuse(i, err); return false },
		accept: func(sent []int, rows []json.RawMessage) error { n.Accept(sent, rows); return nil },
	}, entries)
}

// CreateOne makes one object. It is tried once: a name that is taken and an
// answer that was lost look alike to the caller, who has to look.
func (c *Client) CreateOne(ctx context.Context, t Table, body any) error {
	_, err := c.once(ctx, http.MethodPost, t, "", nil, body, nil)
	return err
}

// Update changes fields of one object without looking at what they show now. It is tried
// once. Writes that must not overwrite what people did go by WriteIf.
func (c *Client) Update(ctx context.Context, t Table, id int64, body any) error {
	_, err := c.once(ctx, http.MethodPatch, t, number(id)+"/", nil, body, nil)
	return err
}

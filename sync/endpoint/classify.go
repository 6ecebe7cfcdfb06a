package endpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
)

// unanswered completes what the door says of a request that got no usable answer.
func (c *Client) unanswered(ctx context.Context, err error, k call) *Error {
	out := &Error{Kind: Unreachable, Err: err}
	if e, ok := errors.AsType[*Error](err); ok {
		out = e
	}
	if ctx.Err() != nil {
		out.Kind, out.Err = Canceled, context.Cause(ctx)
	}
	return c.about(out, k)
}

// about says in an error what was tried, and what the door advises.
func (c *Client) about(e *Error, k call) *Error {
	e.Op, e.method, e.lists = k.op, k.method, c.Lists()
	if e.Advice == "" {
		e.Advice = c.door.Fix(e)
	}
	return e
}

// statusError classifies an answer that is no success (rule 1.5).
func (c *Client) statusError(a rest.Answer, k call) *Error {
	out := &Error{Status: a.Status, Kind: ServerError}
	out.Message, out.ID = said(a)
	write := k.method != http.MethodGet
	switch a.Status {
	case http.StatusUnauthorized:
		out.Kind = BadToken
	case http.StatusForbidden:
		out.Kind = Forbidden
	case http.StatusBadRequest, http.StatusNotFound, http.StatusInternalServerError:
		// The script's statuses are not reliable: with each of them a write was
		// refused, and no more is known (rule 1.4 quirk 7).
		switch {
		case write:
			out.Kind = Rejected
		case a.Status == http.StatusNotFound:
			out.Kind = NotFound
		case a.Status == http.StatusBadRequest:
			out.Kind = Invalid
		}
	}
	if a.Status >= 300 && a.Status < 400 {
		out.Kind, out.Message = Redirected, "to "+a.Words(a.Header.Get("Location"))
	}
	return c.about(out, k)
}

// decoding classifies an answer with a status of success whose content cannot
// be used.
func (c *Client) decoding(err error, k call, a rest.Answer) error {
	out := &Error{Status: a.Status, Err: err, Kind: Garbled}
	switch {
	case errors.Is(err, errBlank):
		out.Kind = Blank
	case errors.Is(err, errNotJSON):
		out.Kind, out.Err = NotInstalled, nil
		out.Message, _ = said(a)
	}
	return c.about(out, k)
}

// said gives the server's words: those of {"error": ...}, the title of a page,
// or the text as it is; and the number or word of an error that the script tells
// besides its text, empty if it tells none.
func said(a rest.Answer) (words, id string) {
	var shape struct {
		Error string `json:"error"`
		ID    string `json:"error_id"`
	}
	text := string(a.Body)
	isJSON := json.Unmarshal(a.Body, &shape) == nil // where only the type of error is another, error_id is read
	switch {
	case isJSON && shape.Error != "" && shape.ID != "":
		text = shape.Error + " (" + shape.ID + ")" // the number of Windows, which no language changes
	case isJSON && shape.Error != "":
		text = shape.Error
	case bytes.HasPrefix(a.Body, []byte("<")):
		text = "an HTML page"
		if title := rest.Title(a.Body); title != "" {
			text = "the page " + title
		}
	}
	return a.Words(text), a.Words(shape.ID)
}

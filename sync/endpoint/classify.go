package endpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
)

// transportError classifies a request that got no usable answer.
func transportError(ctx context.Context, err error, k call) *Error {
	out := &Error{Op: k.op, method: k.method}
	out.Kind, out.Err = rest.Classify(err)
	switch {
	case ctx.Err() != nil:
		out.Kind, out.Err = Canceled, context.Cause(ctx)
	case errors.Is(err, ErrReadOnly):
		out.Kind = ReadOnly
	case errors.Is(err, errMismatch):
		out.Kind = CertificateMismatch
	case errors.Is(err, errExpired):
		out.Kind = CertificateExpired
	}
	return out
}

// statusError classifies an answer that is no success (rule 1.5).
func statusError(a rest.Answer, k call) *Error {
	out := &Error{Op: k.op, method: k.method, Status: a.Status, Message: said(a), ID: saidID(a), Kind: ServerError}
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
	return out
}

// decoding classifies an answer with a status of success whose content cannot
// be used.
func decoding(err error, k call, a rest.Answer) error {
	out := &Error{Op: k.op, method: k.method, Status: a.Status, Err: err, Kind: Garbled}
	switch {
	case errors.Is(err, errBlank):
		out.Kind = Blank
	case errors.Is(err, errNotJSON):
		out.Kind, out.Err, out.Message = NotInstalled, nil, said(a)
	}
	return out
}

// said gives the server's words: those of {"error": ...}, the title of a page,
// or the text as it is.
func said(a rest.Answer) string {
	var shape struct {
		Error string `json:"error"`
		ID    string `json:"error_id"`
	}
	text := string(a.Body)
	if json.Unmarshal(a.Body, &shape) == nil && shape.Error != "" {
		text = shape.Error
		if shape.ID != "" {
			text += " (" + shape.ID + ")" // the number of Windows, which no language changes
		}
	} else if bytes.HasPrefix(a.Body, []byte("<")) {
		text = "an HTML page"
		if title := rest.Title(a.Body); title != "" {
			text = "the page " + title
		}
	}
	return a.Words(text)
}

// saidID gives the number or word of an error that the script tells besides its
// text; empty: it tells none.
func saidID(a rest.Answer) string {
	var shape struct {
		ID string `json:"error_id"`
	}
	if json.Unmarshal(a.Body, &shape) != nil {
		return ""
	}
	return a.Words(shape.ID)
}

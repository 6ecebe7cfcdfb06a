package psu

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"unicode"
)

const maxMessage = 300 // characters of a server's words

var titleOf = regexp.MustCompile(`(?is)<title>(.*?)</title>`)

// transportError classifies a request that got no usable answer.
func transportError(ctx context.Context, err error, k call) *Error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	out := &Error{Op: k.op, method: k.method, Kind: Unreachable, Err: err}
	var verify *tls.CertificateVerificationError
	switch text := err.Error(); {
	case ctx.Err() != nil:
		out.Kind, out.Err = Canceled, context.Cause(ctx)
	case errors.Is(err, ErrReadOnly):
		out.Kind = ReadOnly
	case errors.Is(err, errMismatch):
		out.Kind = CertificateMismatch
	case errors.Is(err, errExpired):
		out.Kind = CertificateExpired
	case errors.Is(err, errBodyTooLarge):
		out.Kind = TooLarge
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		out.Kind = TimedOut
	// crypto/tls has no type for most of what it reports, alerts of the other
	// side among them.
	case errors.As(err, &verify), strings.Contains(text, "tls: "), strings.Contains(text, "x509: "),
		strings.Contains(text, "server gave HTTP response to HTTPS client"):
		out.Kind = BadTLS
	}
	return out
}

// statusError classifies an answer that is no success (windows-dhcp.md 1.5).
func statusError(a answer, header http.Header, k call) *Error {
	out := &Error{Op: k.op, method: k.method, Status: a.status, Message: said(a.body, a.token), Kind: ServerError}
	write := k.method != http.MethodGet
	switch a.status {
	case http.StatusUnauthorized:
		out.Kind = BadToken
	case http.StatusForbidden:
		out.Kind = Forbidden
	case http.StatusBadRequest, http.StatusNotFound, http.StatusInternalServerError:
		// The codes are not reliable (1.4 no. 7): a refused write is a refused
		// write.
		switch {
		case write:
			out.Kind = Rejected
		case a.status == http.StatusNotFound:
			out.Kind = NotFound
		case a.status == http.StatusBadRequest:
			out.Kind = Invalid
		}
	}
	if a.status >= 300 && a.status < 400 {
		out.Kind, out.Message = Redirected, "to "+clean(hide(header.Get("Location"), a.token))
	}
	return out
}

// decoding classifies a success whose content is none.
func decoding(err error, k call, a answer) error {
	out := &Error{Op: k.op, method: k.method, Status: a.status, Err: err, Kind: Garbled}
	switch {
	case errors.Is(err, errBlank):
		out.Kind = Blank
	case errors.Is(err, errNotJSON):
		out.Kind, out.Err, out.Message = NotInstalled, nil, said(a.body, a.token)
	}
	return out
}

// said gives the server's words: those of {"error": ...}, the title of a page,
// or the text as it is.
func said(body []byte, token string) string {
	var shape struct {
		Error string `json:"error"`
	}
	text := string(body)
	if json.Unmarshal(body, &shape) == nil && shape.Error != "" {
		text = shape.Error
	} else if bytes.HasPrefix(body, []byte("<")) {
		text = "an HTML page"
		if title := titleOf.FindSubmatch(body); title != nil {
			text = "the page " + string(title[1])
		}
	}
	return clean(hide(text, token))
}

// hide takes the token out of an answer that repeats it.
func hide(text, token string) string {
	if token == "" {
		return text
	}
	return strings.ReplaceAll(text, token, "[redacted]")
}

// clean makes foreign text fit for one line of a log.
func clean(s string) string { return cut(s, maxMessage) }

func cut(s string, limit int) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == unicode.ReplacementChar
	}), " ")
	if runes := []rune(s); len(runes) > limit {
		return string(runes[:limit]) + "..."
	}
	return s
}

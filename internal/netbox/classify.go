package netbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// transportError classifies a request that got no usable answer.
func transportError(err error, method string, e endpoint) *Error {
	out := &Error{Op: operation(method, e), Kind: Unreachable, Err: redactURL(err)}
	var verify *tls.CertificateVerificationError
	switch text := err.Error(); {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		out.Kind = TimedOut
	// crypto/tls has no type for most of what it reports, alerts of the other
	// side among them.
	case errors.As(err, &verify), strings.Contains(text, "tls: "), strings.Contains(text, "x509: "),
		strings.Contains(text, "server gave HTTP response to HTTPS client"):
		out.Kind = BadTLS
	case errors.Is(err, errBodyTooLarge):
		out.Kind = TooLarge
	}
	return out
}

// statusError classifies an answer that is no success.
func statusError(a *answer, method string, e endpoint) *Error {
	out := &Error{Op: operation(method, e), Status: a.status, Message: message(a), permission: permission(method, e)}
	switch s := a.status; {
	case s >= 300 && s < 400:
		out.Kind = Redirected
		out.Message = "redirected to " + Clean(a.header.Get("Location"))
	case s == http.StatusTooManyRequests:
		out.Kind, out.RetryAfter = Throttled, retryAfter(a.header)
	case s >= 500:
		out.Kind, out.RetryAfter = Unavailable, retryAfter(a.header)
	case s == http.StatusRequestEntityTooLarge:
		out.Kind = TooLarge
	case s < 400, !a.json():
		out.Kind = NotNetBox
	case s == http.StatusForbidden, s == http.StatusUnauthorized:
		out.Kind, out.body = Forbidden, a.body
		if aboutToken(out.Message) || s == http.StatusUnauthorized {
			out.Kind = BadToken
		}
	case s == http.StatusNotFound:
		out.Kind = NotFound
	case s == http.StatusConflict:
		out.Kind, out.body = Conflict, a.body
	case s == http.StatusPreconditionFailed:
		out.Kind = Changed
	default:
		out.Kind, out.body = Invalid, a.body
	}
	return out
}

func notNetBox(a *answer, method string, e endpoint) *Error {
	return &Error{Kind: NotNetBox, Op: operation(method, e), Status: a.status, Message: message(a)}
}

func operation(method string, e endpoint) string {
	if method == http.MethodGet || method == http.MethodOptions {
		return "read " + string(e)
	}
	return "write " + string(e)
}

func permission(method string, e endpoint) string {
	action := map[string]string{http.MethodPost: "add", http.MethodPatch: "change", http.MethodDelete: "delete"}[method]
	if action == "" {
		action = "view"
	}
	return action + " on " + e.Model()
}

// aboutToken tells a 403 about the token from one about permissions.
func aboutToken(text string) bool {
	for _, start := range []string{"Authentication credentials", "Invalid token", "Invalid v1 token", "Invalid v2 token",
		"Token expired", "Token disabled", "Source IP", "User inactive", "Incorrect authentication"} {
		if strings.HasPrefix(text, start) {
			return true
		}
	}
	return false
}

// retryAfter reads the header in both its forms; 0: absent or unreadable.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	var secs uint32
	if n, err := fmt.Sscanf(value, "%d", &secs); n == 1 && err == nil {
		return time.Duration(secs) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return max(0, at.Sub(now))
}

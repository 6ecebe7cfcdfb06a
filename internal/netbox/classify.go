package netbox

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
)

// transportError classifies a request that got no usable answer.
func transportError(ctx context.Context, err error, method string, t Table) *Error {
	out := &Error{Op: operation(method, t)}
	out.Kind, out.Err = rest.Classify(err)
	if ctx.Err() != nil {
		out.Kind, out.Err = TimedOut, context.Cause(ctx)
	}
	return out
}

// statusError classifies an answer that is no success.
func statusError(a *answer, method string, t Table) *Error {
	out := &Error{Op: operation(method, t), Status: a.status, Message: message(a), permission: permission(method, t)}
	switch s := a.status; {
	case s >= 300 && s < 400:
		out.Kind = Redirected
		out.Message = "redirected to " + a.sent.Words(a.header.Get("Location"))
	case s == http.StatusTooManyRequests:
		out.Kind, out.RetryAfter = Throttled, rest.RetryAfter(a.header)
	case s >= 500:
		out.Kind, out.RetryAfter = Unavailable, rest.RetryAfter(a.header)
	case s == http.StatusRequestEntityTooLarge:
		out.Kind = TooLarge
	case s < 400, !a.json(), s == http.StatusForbidden && !refusedByNetBox(a.body):
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
		out.Kind = Outdated
	default:
		out.Kind, out.body = Invalid, a.body
	}
	return out
}

// refusedByNetBox tells NetBox's own 403 from that of a firewall in front of it
// which answers in JSON as well (NB-1.3).
func refusedByNetBox(body []byte) bool {
	var said map[string]json.RawMessage
	return json.Unmarshal(body, &said) != nil || said["detail"] != nil || said["errors"] != nil
}

func notNetBox(a *answer, method string, t Table) *Error {
	return &Error{Kind: NotNetBox, Op: operation(method, t), Status: a.status, Message: message(a)}
}

func operation(method string, t Table) string {
	if method == http.MethodGet || method == http.MethodOptions {
		return "read " + string(t)
	}
	return "write " + string(t)
}

func permission(method string, t Table) string {
	action := map[string]string{http.MethodPost: "add", http.MethodPatch: "change", http.MethodDelete: "delete"}[method]
	if action == "" {
		action = "view"
	}
	return action + " on " + t.Model()
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

package netbox

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// Kind is what went wrong with a request, for callers that branch on it.
type Kind string

// The kinds of failure.
const (
	Unreachable Kind = "unreachable" // no connection, or it broke
	BadTLS      Kind = "tls"         // certificate or protocol
	TimedOut    Kind = "timeout"
	Redirected  Kind = "redirected"  // never followed
	NotNetBox   Kind = "not_netbox"  // HTML or something else that is no NetBox answer
	BadToken    Kind = "bad_token"   // 403 because of who we are
	Forbidden   Kind = "forbidden"   // 403 because of what we may do
	NotFound    Kind = "not_found"   // 404 for one object
	Invalid     Kind = "invalid"     // 400: NetBox refuses the content
	Conflict    Kind = "conflict"    // 409
	Changed     Kind = "changed"     // 412: the object changed meanwhile
	TooLarge    Kind = "too_large"   // 413, or an answer above our own limit
	Throttled   Kind = "throttled"   // 429
	Unavailable Kind = "unavailable" // 5xx
	Incomplete  Kind = "incomplete"  // a list that contradicts itself
	Shrunk      Kind = "shrunk"      // far fewer objects than before
	TooOld      Kind = "too_old"     // NetBox before 4.2
)

// Error is a failed exchange with NetBox. It never holds the token.
type Error struct {
	Kind       Kind
	Op         string // what was tried: "read ipam/ip-addresses"
	Status     int    // HTTP status; 0: no answer
	Message    string // NetBox's own words, cut short
	RetryAfter time.Duration
	Err        error // what the network or the decoder said

	permission string // the object permission that the request needs
	body       []byte // of a 400, to find the rows at fault
}

// Error says what was tried, what came back and what to do about it.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Status != 0 {
		fmt.Fprintf(&b, ": %d %s", e.Status, http.StatusText(e.Status))
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if fix := e.Fix(); fix != "" {
		b.WriteString("; " + fix)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Fix says what an operator can do; empty where waiting is all there is.
func (e *Error) Fix() string {
	switch e.Kind {
	case Unreachable:
		return e.fixUnreachable()
	case BadTLS:
		return "check that the certificate is for this host name, valid now, and signed by an authority this system trusts (SSL_CERT_FILE names another bundle)"
	case TimedOut:
		return "check the way to NetBox and its load; netbox.timeout says how long to wait"
	case Redirected:
		return "set netbox.url to the address NetBox itself answers at"
	case NotNetBox:
		return "check netbox.url, its base path included, NetBox's ALLOWED_HOSTS, and proxies or login pages in front of it"
	case BadToken:
		return e.fixToken()
	case Forbidden:
		if strings.HasPrefix(e.permission, "view ") {
			return "give the token's user the object permission " + e.permission
		}
		return "give the token's user the object permission " + e.permission + ", and set the token write enabled"
	case TooOld:
		return "NetBox 4.2 or newer is needed"
	case Incomplete:
		return "nothing was replaced; the read is repeated"
	}
	return ""
}

func (e *Error) fixUnreachable() string {
	var dns *net.DNSError
	switch {
	case errors.As(e.Err, &dns):
		return "check the host name in netbox.url and this machine's DNS"
	case errors.Is(e.Err, syscall.ECONNREFUSED):
		return "check that NetBox runs and netbox.url names its port"
	}
	return "check the network between here and NetBox"
}

func (e *Error) fixToken() string {
	switch {
	case strings.Contains(e.Message, "expired"):
		return "set a later expiry on the token, or make a new one and replace the token file"
	case strings.Contains(e.Message, "disabled"), strings.Contains(e.Message, "inactive"):
		return "enable the token and its user in NetBox"
	case strings.Contains(e.Message, "Source IP"):
		return "add this machine's address to the token's allowed IPs"
	case strings.Contains(e.Message, "not provided"):
		return "let proxies in front of NetBox pass the Authorization header"
	}
	return "put a valid token into netbox.token_file or NETBOX_TOKEN"
}

// kindOf returns the Kind of err, or "" for an error that is no *Error.
func kindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return ""
}

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
		out.Message = "redirected to " + clean(a.header.Get("Location"))
	case s == http.StatusTooManyRequests:
		out.Kind, out.RetryAfter = Throttled, retryAfter(a.header)
	case s >= 500:
		out.Kind, out.RetryAfter = Unavailable, retryAfter(a.header)
	case s == http.StatusRequestEntityTooLarge:
		out.Kind = TooLarge
	case s < 400, !a.json():
		out.Kind = NotNetBox
	case s == http.StatusForbidden, s == http.StatusUnauthorized:
		out.Kind = Forbidden
		if aboutToken(out.Message) || s == http.StatusUnauthorized {
			out.Kind = BadToken
		}
	case s == http.StatusNotFound:
		out.Kind = NotFound
	case s == http.StatusConflict:
		out.Kind = Conflict
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
	action := map[string]string{http.MethodPost: "add", http.MethodPatch: "change"}[method]
	if action == "" {
		action = "view"
	}
	return action + " on " + e.model()
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

const maxMessage = 300 // characters of NetBox's words in an error

// message finds NetBox's own words in the body of an answer.
func message(a *answer) string {
	if !a.json() {
		if title := regexp.MustCompile(`(?is)<title>(.*?)</title>`).FindSubmatch(a.body); title != nil {
			return "the page " + clean(string(title[1]))
		}
		return clean(string(a.body))
	}
	var said any
	if json.Unmarshal(a.body, &said) != nil {
		return clean(string(a.body))
	}
	return clean(strings.Join(sayings(said), "; "))
}

// sayings flattens the shapes NetBox gives its errors: {"detail"}, a map from
// field to messages, a list, the exception of a 500.
func sayings(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, entry := range v {
			all = append(all, sayings(entry)...)
		}
		return all
	case map[string]any:
		var all []string
		for _, key := range sortedKeys(v) {
			said := sayings(v[key])
			switch key {
			case "detail", "__all__", "non_field_errors", "error", "errors":
				all = append(all, said...)
			case "netbox_version", "python_version":
			default:
				if len(said) > 0 {
					all = append(all, key+": "+strings.Join(said, ", "))
				}
			}
		}
		return all
	}
	return nil
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// clean makes foreign text fit for one log line.
func clean(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar
	}), " ")
	if runes := []rune(s); len(runes) > maxMessage {
		return string(runes[:maxMessage]) + "..."
	}
	return s
}

// answer is a complete response.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a *answer) json() bool {
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	return kind == "application/json"
}

func jsonHeader() http.Header { return http.Header{"Content-Type": {"application/json"}} }

var errBodyTooLarge = fmt.Errorf("the answer is larger than %d MB", maxBody>>20)

// readBody reads at most maxBody bytes.
func readBody(r io.Reader) ([]byte, error) {
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(r, maxBody+1))
	if err != nil {
		return nil, err
	}
	if n > maxBody {
		return nil, errBodyTooLarge
	}
	return b.Bytes(), nil
}

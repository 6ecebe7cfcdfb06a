package netbox

import (
	"errors"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
)

// Kind is what went wrong with a request, for callers that branch on it.
type Kind = rest.Kind

// The kinds of failure.
const (
	Unreachable Kind = rest.Unreachable
	BadTLS      Kind = rest.BadTLS
	TimedOut    Kind = rest.TimedOut
	TooLarge    Kind = rest.TooLarge // 413 too
	Redirected  Kind = "redirected"  // never followed
	NotNetBox   Kind = "not_netbox"  // HTML or something else that is no NetBox answer
	BadToken    Kind = "bad_token"   // 403 because of who we are
	Forbidden   Kind = "forbidden"   // 403 because of what we may do
	NotFound    Kind = "not_found"   // 404 for one object
	Invalid     Kind = "invalid"     // 400: NetBox refuses the content
	Conflict    Kind = "conflict"    // 409
	Outdated    Kind = "changed"     // 412: the object changed meanwhile
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
	body       []byte // of a refusal, to find the rows at fault
	unseen     bool   // of a row: NetBox does not find it among those that the token may write
}

// Error says what was tried, what came back and what to do about it.
func (e *Error) Error() string {
	return rest.Explain(e.Op, e.Status, e.Message, e.Err, e.Fix())
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Fix says what an operator can do; empty where waiting is all there is.
func (e *Error) Fix() string {
	switch e.Kind {
	case Unreachable:
		return rest.FixUnreachable(e.Err, "check the host name in netbox.url and this machine's DNS",
			"check that NetBox runs and netbox.url names its port", "check the network between here and NetBox")
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

// KindOf returns the Kind of err, or "" for an error that is no *Error.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return ""
}

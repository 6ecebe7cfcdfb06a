package endpoint

import (
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
)

// ErrReadOnly refuses every request but GET of a client that may only read.
var ErrReadOnly = errors.New("this client may only read")

// Kind is what went wrong with a request, for callers that branch on it.
type Kind = rest.Kind

// The kinds of failure.
const (
	Unreachable         Kind = rest.Unreachable
	BadTLS              Kind = rest.BadTLS
	TimedOut            Kind = rest.TimedOut
	TooLarge            Kind = rest.TooLarge
	CertificateMismatch Kind = "certificate_mismatch"
	CertificateExpired  Kind = "certificate_expired" // the stored one
	HostKeyUnknown      Kind = "host_key_unknown"    // none is trusted
	HostKeyMismatch     Kind = "host_key_mismatch"   // another one is trusted
	BadKey              Kind = "bad_key"             // no usable key to log in with
	LoginRefused        Kind = "login_refused"       // the server does not take the key
	NoGreeting          Kind = "no_greeting"         // logged in, and no endpoint script speaks
	WrongScript         Kind = "wrong_script"        // one speaks that is not made for this program
	Canceled            Kind = "canceled"            // the caller gave up
	Redirected          Kind = "redirected"          // never followed
	BadToken            Kind = "bad_token"           // 401, or no usable token to send
	Forbidden           Kind = "forbidden"           // 403: the token lacks the role
	NotInstalled        Kind = "not_installed"       // HTML or other text: not the endpoint script
	Blank               Kind = "blank"               // success without content: the endpoint failed silently
	Garbled             Kind = "garbled"             // JSON that is no answer to the question
	NotFound            Kind = "not_found"           // 404 on a read
	Invalid             Kind = "invalid"             // refused before it was sent, or 400 on a read
	Rejected            Kind = "rejected"            // 400, 404 or 500 on a write
	ServerError         Kind = "server_error"        // any other status
	ReadOnly            Kind = "read_only"           // ErrReadOnly
)

// Shut reports whether no request would get through after a failure of this kind:
// the door did not open, or the caller gave up.
func Shut(k Kind) bool {
	switch k {
	case BadTLS, CertificateMismatch, CertificateExpired, HostKeyUnknown, HostKeyMismatch, BadKey, LoginRefused, NoGreeting, WrongScript, Canceled:
		return true
	}
	return false
}

// Error is a failed exchange with an endpoint script. It never holds a secret.
type Error struct {
	Kind    Kind
	Op      string // what was tried: "read scopes"
	Status  int    // HTTP status; 0: no answer
	Message string // the server's own words, cut short
	ID      string // number of Windows, such as "WIN32 5", or a word of the script; empty: not told
	Err     error  // what the network or the decoder said
	Cut     bool   // a connection that had worked ended before the answer: another try opens a new one
	Unsent  bool   // nothing was sent
	Advice  string // what an operator can do, where the door knows it

	method string
	entry  bool // of one entry of a list: the call itself is there
	lists  bool // the server is known to have the calls of rule 1.9
}

// KindOf returns the Kind of err, or "" for an error that is no *Error.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return ""
}

// Error says what was tried, what came back and what to do about it.
func (e *Error) Error() string {
	return rest.Explain(e.Op, e.Status, e.Message, e.Err, e.Fix())
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Unsure reports whether a failed write may have been carried out all the
// same: read the server again before trying it once more (rule 5.2).
func (e *Error) Unsure() bool {
	if e.method == "" || e.method == http.MethodGet {
		return false
	}
	if e.unsent() {
		return false
	}
	switch e.Kind {
	case Unreachable, TimedOut, Canceled, Blank, Garbled, NotInstalled, TooLarge, ServerError:
		return true
	case Rejected:
		return e.Status == http.StatusInternalServerError
	}
	return false
}

// unsent reports whether there was not even a connection, or nothing was sent on it.
func (e *Error) unsent() bool {
	op, ok := errors.AsType[*net.OpError](e.Err)
	return e.Unsent || ok && op.Op == "dial"
}

// AccessDenied is the number of Windows that says the account may not do this.
const AccessDenied = "WIN32 5"

// Fix says what an operator can do; empty where waiting is all there is.
func (e *Error) Fix() string {
	switch {
	case e.Advice != "":
		return e.Advice
	case e.Kind == TimedOut:
		return "check the load of the server; sync.psu.timeout says how long to wait"
	case e.Kind == ReadOnly:
		return "writing needs a push mode, and neither read_only nor dry_run"
	}
	return e.fixRefused()
}

// fixRefused explains statuses that mean something else than HTTP says.
func (e *Error) fixRefused() string {
	switch {
	case e.Op == opScopes && e.Status == http.StatusInternalServerError:
		// rule 1.4 quirk 6
		if e.lists {
			return "the server could not list its scopes: look at Get-DhcpServerv4Scope there"
		}
		return "one scope that the script cannot describe fails the whole list, such as one with an unlimited lease, which scripts 1.x of the plugin cannot count: nothing of this server is mirrored. Find it with Get-DhcpServerv4Scope and give it a lease time, or take a script that counts in 64 bits: 2.0 or newer of the plugin, or deploy/psu/dhcp_endpoints.ps1"
	case strings.HasPrefix(e.Op, opOptions) && (e.Status == http.StatusInternalServerError || e.Status == http.StatusNotFound):
		// rule 1.4 quirk 9
		return "an option without a value fails the whole list: look at Get-DhcpServerv4OptionValue on the server"
	case e.Kind == Rejected && e.Status == http.StatusNotFound && strings.HasPrefix(e.Op, opUpdateScope):
		// rule 1.4 quirk 8
		return "the scope may exist all the same, and Windows refused the values"
	}
	return ""
}

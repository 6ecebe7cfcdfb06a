package endpoint

import (
	"context"
	"net/url"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
)

// Request is one call of the endpoint script.
type Request struct {
	Method string
	Path   string     // below api/dhcp/, such as scopes/10.8.4.0
	Query  url.Values // nil: none
	Body   any        // goes as JSON; nil: none
}

// Door is a way to the endpoint script of one server: PowerShell Universal
// (package psu) or OpenSSH (package openssh). It is safe for concurrent use; a
// Client asks at most Config.Parallel times at once.
type Door interface {
	// Ask sends a request once, and gives the whole answer, whatever its status.
	// Without one, the error is an *Error with Kind and Err. The header Date of an
	// answer is the time by the server's clock.
	Ask(context.Context, Request) (rest.Answer, error)
	// Fix says what an operator can do about an error, where that depends on the
	// door; empty: it does not.
	Fix(*Error) string
	// Facts are what the door knows of the other side since it was there, for
	// people; nil: nothing.
	Facts() []string
	// Warnings are what an operator must see in every run.
	Warnings() []string
	// URL is where requests go. It holds no secret.
	URL() string
	// Close ends what is idle. A later Ask opens it again.
	Close()
}

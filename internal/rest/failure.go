package rest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"syscall"
	"unicode"
)

// Kind is what went wrong with a request, for callers that branch on it. Each
// client adds kinds of its own.
type Kind string

// The kinds of failure that need no look at an answer.
const (
	Unreachable Kind = "unreachable" // no connection, or it broke
	BadTLS      Kind = "tls"         // certificate or protocol
	TimedOut    Kind = "timeout"
	TooLarge    Kind = "too_large" // the answer is above MaxBody
)

// Classify explains an error of Send: its kind, and the cause without the URL.
func Classify(err error) (Kind, error) {
	err = WithoutURL(err)
	var verify *tls.CertificateVerificationError
	switch text := err.Error(); {
	case errors.Is(err, errTooLarge):
		return TooLarge, err
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return TimedOut, err
	// crypto/tls has no type for most of what it reports, alerts of the other
	// side among them.
	case errors.As(err, &verify), strings.Contains(text, "tls: "), strings.Contains(text, "x509: "),
		strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return BadTLS, err
	}
	return Unreachable, err
}

// WithoutURL gives the reason of an error without the URL, which may hold a
// password.
func WithoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// FixUnreachable picks what an operator can do about an Unreachable server:
// about its name, about a port at which nothing listens, or else about the
// network.
func FixUnreachable(err error, name, port, network string) string {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return name
	case errors.Is(err, syscall.ECONNREFUSED):
		return port
	}
	return network
}

// Explain puts a failed exchange into one line: what was tried, the HTTP
// status if there was one, the server's words, the cause, and what to do. What
// is empty is left out.
func Explain(op string, status int, words string, cause error, fix string) string {
	var b strings.Builder
	b.WriteString(op)
	if status != 0 {
		fmt.Fprintf(&b, ": %d %s", status, http.StatusText(status))
	}
	if words != "" {
		b.WriteString(": " + words)
	}
	if cause != nil {
		b.WriteString(": " + cause.Error())
	}
	if fix != "" {
		b.WriteString("; " + fix)
	}
	return b.String()
}

// MaxWords is how many characters of a server's words an error holds.
const MaxWords = 300

// Clean makes foreign text fit for one line: a blank stands for every run of
// white space and of characters that do not print, and what is longer than
// limit characters is cut.
func Clean(text string, limit int) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == unicode.ReplacementChar
	}), " ")
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit]) + "..."
	}
	return text
}

var title = regexp.MustCompile(`(?is)<title>(.*?)</title>`)

// Title is the title of an HTML page; "": it has none.
func Title(page []byte) string {
	if found := title.FindSubmatch(page); found != nil {
		return string(found[1])
	}
	return ""
}

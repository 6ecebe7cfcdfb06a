package psutest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/fault"
)

// FaultKind is a way to fail.
type FaultKind int

// The faults. Unless told otherwise the request is not carried out.
const (
	Slow            FaultKind = iota // the answer starts after Delay, or when Until is closed
	Drop                             // the connection ends without an answer
	DropAfter                        // the request is carried out, then the connection ends
	Unauthorized                     // 401 with an empty body
	Forbidden                        // 403 with an empty body
	HTML500                          // 500 with a page
	Error500                         // 500 with {"error": ...}
	Error400                         // 400 with {"error": ...}
	BadGateway                       // 502
	Unavailable                      // 503
	Timeout504                       // 504
	Timeout504After                  // the request is carried out, then 504
	Redirect                         // 302 to another path
	HTML200                          // a page of PowerShell Universal itself
	Blank200                         // an empty body: the endpoint broke
	Blank200After                    // the request is carried out, then an empty body
	Null200                          // null
	Swallowed                        // a write is answered as done, and is not: a script that hides the error of a cmdlet
	TextsAsTimes                     // a write is carried out with its name and description rewritten, as PowerShell does with times
	OtherClients                     // a write is carried out for other clients than it says, also in a list
	Text200                          // neither JSON nor HTML
	OtherObject                      // {"status":"ok"} instead of the list
	EchoToken                        // a page with the token in its title
	EchoToken500                     // 500 with the token in the error
	Truncated                        // the body ends in the middle
	EmptyList                        // a list is [] though there is something
	MalformedEntry                   // a list has one more entry, without an address
	StrayEntry                       // a list has one more entry, without address and scope_id
	OtherScope                       // every entry of a list says it is of 192.0.2.0
	NoObject                         // a list has one more entry, which is no object
)

// Fault makes requests fail. Empty fields match any request.
type Fault struct {
	Method string
	Path   string // below /api/dhcp/, exact, or a prefix if it ends in "*"
	Scope  string // scope_id of the query or end of the path
	Entry  string // scope_id of MalformedEntry; empty: Scope
	After  int    // matching requests that are let through first
	Times  int    // 0: until ClearFaults
	Kind   FaultKind
	Delay  time.Duration   // of Slow
	Until  <-chan struct{} // of Slow: wait for this channel to close instead of Delay
}

// Fail makes matching requests fail from now on. Of several matching faults
// the oldest one is used.
func (s *Server) Fail(f Fault) { s.faults.Add(f, f.After, f.Times) }

// ClearFaults ends all faults.
func (s *Server) ClearFaults() { s.faults.Clear() }

// takeFault finds the fault for a request and counts it.
func (s *Server) takeFault(r *http.Request) *Fault {
	path, scope := strings.TrimPrefix(r.URL.Path, "/api/dhcp/"), r.URL.Query().Get("scope_id")
	return s.faults.Take(func(f Fault) bool {
		return fault.Match(f.Method, r.Method) && fault.Match(f.Path, path) &&
			(f.Scope == "" || scope == f.Scope || strings.HasSuffix(path, "/"+f.Scope))
	})
}

func page(status int, title string) reply {
	return reply{status: status, typ: typeHTML, body: []byte("<!DOCTYPE html>\n<html><head><title>" + title + "</title></head><body></body></html>\n")}
}

// withFault answers a request, or fails as the fault says.
func (s *Server) withFault(r *http.Request, body []byte, f *Fault) reply {
	if f == nil {
		return s.answer(r, body, nil)
	}
	switch f.Kind {
	case Slow:
		fault.Wait(r.Context(), f.Until, f.Delay)
	case DropAfter:
		s.answer(r, body, f)
		panic(http.ErrAbortHandler)
	case Timeout504After:
		s.answer(r, body, f)
		return page(http.StatusGatewayTimeout, "504 Gateway Time-out")
	case Blank200After:
		s.answer(r, body, f)
		return empty(http.StatusOK)
	case Drop:
		panic(http.ErrAbortHandler)
	case TextsAsTimes:
		body = rewritten(body, func(in map[string]any) {
			for _, key := range []string{"name", "description"} {
				if text, ok := in[key].(string); ok && text != "" {
					in[key] = "11/28/2026 10:00:00"
				}
			}
		})
	case OtherClients:
		body = rewritten(body, func(in map[string]any) {
			if id, ok := in["client_id"].(string); ok && id != "" {
				in["client_id"] = "01-" + id // as a client says it in option 61
			}
		})
	}
	if out, ok := f.instead(r.Header.Get("Authorization")); ok {
		return out
	}
	return s.answer(r, body, f)
}

// rewritten is a body whose object, or each of its list, was changed.
func rewritten(body []byte, change func(map[string]any)) []byte {
	var (
		one  map[string]any
		list []map[string]any
		in   any
	)
	switch {
	case json.Unmarshal(body, &one) == nil:
		change(one)
		in = one
	case json.Unmarshal(body, &list) == nil:
		for _, entry := range list {
			change(entry)
		}
		in = list
	default:
		return body
	}
	out, err := json.Marshal(in)
	if err != nil {
		return body
	}
	return out
}

// instead is what the fault answers in place of the script.
func (f *Fault) instead(authorization string) (reply, bool) {
	switch f.Kind {
	case Unauthorized:
		return empty(http.StatusUnauthorized), true
	case Forbidden:
		return empty(http.StatusForbidden), true
	case HTML500:
		return page(http.StatusInternalServerError, "Internal Server Error"), true
	case Error500:
		return failure(http.StatusInternalServerError, "Failed to enumerate on DHCP server: the RPC server is unavailable."), true
	case Error400:
		return failure(http.StatusBadRequest, "A parameter is not valid."), true
	case BadGateway:
		return page(http.StatusBadGateway, "502 Bad Gateway"), true
	case Unavailable:
		return page(http.StatusServiceUnavailable, "Service Unavailable"), true
	case Timeout504:
		return page(http.StatusGatewayTimeout, "504 Gateway Time-out"), true
	case Redirect:
		out := empty(http.StatusFound)
		out.header = http.Header{"Location": {"/login"}}
		return out, true
	case HTML200:
		return page(http.StatusOK, "PowerShell Universal"), true
	case EchoToken:
		return page(http.StatusOK, "Bad request: "+authorization), true
	case EchoToken500:
		return failure(http.StatusInternalServerError, "unexpected header %s", authorization), true
	case OtherObject:
		return object(http.StatusOK, map[string]any{"status": "ok"}), true
	case Blank200:
		return empty(http.StatusOK), true
	case Swallowed:
		return object(http.StatusCreated, map[string]any{"ip_address": nil, "client_id": "", "name": ""}), true
	case Null200:
		return reply{status: http.StatusOK, typ: typeText, body: []byte("null")}, true
	case Text200:
		return reply{status: http.StatusOK, typ: typeText, body: bytes.Repeat([]byte("WARNING: no module\x1b[0m\n"), 40)}, true
	}
	return reply{}, false
}

// damage changes a correct list.
func (f *Fault) damage(out []entry) []entry {
	switch f.Kind {
	case EmptyList:
		return []entry{}
	case OtherScope:
		for _, e := range out {
			e["scope_id"] = "192.0.2.0"
		}
	case MalformedEntry:
		return append(out, entry{"scope_id": cmp.Or(f.Entry, f.Scope), "ip_address": nil, "client_id": "3c-52-82-0a-1b-ff", "start_ip": "", "name": "broken"})
	case StrayEntry:
		return append(out, entry{"client_id": "3c-52-82-0a-1b-ff", "name": ""})
	case NoObject:
		return append(out, nil)
	}
	return out
}

package netboxtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/fault"
)

// FaultKind is a way to fail.
type FaultKind int

// The faults. Those of the proxy happen before NetBox sees the request: a write is not carried out.
const (
	JSON500        FaultKind = iota // NetBox's own 500: exception as JSON
	HTML502                         // proxy: bad gateway
	HTML504                         // proxy: gateway timeout; the write is not carried out
	Throttled429                    // proxy: Retry-After
	Unavailable503                  // proxy: Retry-After
	HTML200                         // proxy: a login or maintenance page with status 200
	Forbidden403                    // permission withdrawn
	TokenExpired                    // 403 with NetBox's words for an expired token
	Reset                           // connection reset before anything is done
	ResetAfter                      // the request is carried out, then the connection is reset: the answer is lost
	Timeout504                      // the request is carried out, then the proxy answers 504
	Truncated                       // the body ends in the middle
	Slow                            // the answer starts after Delay
	Trickle                         // headers at once, the second half of the body after Delay
	HalfPage                        // a list page has half as many rows as asked for; paging stays consistent
	EmptyPage                       // a list page without rows and without next, though rows exist
	RepeatedPage                    // a list answers its first page to a request for any page
	SlowRows                        // a write takes Delay for each object in its body
	Blocked403                      // firewall: a page with status 403
	Blocked200                      // firewall: a page with status 200
	BlockedJSON                     // firewall: 403 in JSON that is none of NetBox's
	DonePage                        // the request is carried out, then the firewall answers with a page
	Login302                        // proxy: redirects to a login page
	Login401                        // proxy: asks for a login
	UnknownStatus                   // every status in the answer is a value and label no version knows
)

// proxy reports whether the answer comes from a proxy and lacks NetBox's headers.
func (k FaultKind) proxy() bool {
	switch k {
	case HTML502, HTML504, Throttled429, Unavailable503, HTML200, Timeout504, Blocked403, Blocked200, BlockedJSON, DonePage, Login302, Login401:
		return true
	}
	return false
}

// Fault makes requests fail. Empty Path and Method match any.
type Fault struct {
	Path       string // request path, exact, or a prefix if it ends in "*"
	Method     string
	Body       string // only requests whose body has this text
	After      int    // matching requests that are let through first
	Times      int    // 0: until ClearFaults
	Kind       FaultKind
	RetryAfter time.Duration   // whole seconds, for Throttled429 and Unavailable503
	Delay      time.Duration   // for Slow and Trickle
	Until      <-chan struct{} // for Slow and Trickle: wait for this channel to close instead of Delay
}

// Fail makes matching requests fail from now on. Of several matching faults the oldest one is used.
func (s *Server) Fail(f Fault) { s.faults.Add(f, f.After, f.Times) }

// ClearFaults ends all faults.
func (s *Server) ClearFaults() { s.faults.Clear() }

// Down resets every connection until Up: requests are neither answered nor recorded.
func (s *Server) Down() {
	s.mu.Lock()
	s.down = true
	s.mu.Unlock()
	s.http.CloseClientConnections()
}

// Up ends Down.
func (s *Server) Up() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = false
}

// takeFault finds the fault for a request and counts it.
func (s *Server) takeFault(r *http.Request, body []byte) *Fault {
	return s.faults.Take(func(f Fault) bool {
		return fault.Match(f.Method, r.Method) && fault.Match(f.Path, r.URL.Path) && bytes.Contains(body, []byte(f.Body))
	})
}

// withFault answers a call, or fails as its fault says. nil: the connection is reset.
func (s *Server) withFault(c *call) *reply {
	if c.fault == nil {
		return s.answer(c)
	}
	switch f := c.fault; f.Kind {
	case JSON500:
		return answer(http.StatusInternalServerError, map[string]any{
			"error": "connection to server failed: server closed the connection unexpectedly", "exception": "OperationalError",
			"netbox_version": s.version().release(), "python_version": "3.12.3"})
	case HTML502:
		return proxyPage(http.StatusBadGateway)
	case HTML504:
		return proxyPage(http.StatusGatewayTimeout)
	case Throttled429:
		return proxyPage(http.StatusTooManyRequests).set("Retry-After", seconds(f.RetryAfter))
	case Unavailable503:
		return proxyPage(http.StatusServiceUnavailable).set("Retry-After", seconds(f.RetryAfter))
	case HTML200:
		return answer(http.StatusOK, "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form></form></body></html>")
	case Blocked403:
		return proxyPage(http.StatusForbidden)
	case Blocked200:
		return proxyPage(http.StatusOK)
	case BlockedJSON:
		return answer(http.StatusForbidden, map[string]any{"error": "request blocked", "incident": "7f3a"})
	case DonePage:
		s.answer(c)
		return proxyPage(http.StatusForbidden)
	case Login302:
		return proxyPage(http.StatusFound).set("Location", "https://login.example.org/")
	case Login401:
		return answer(http.StatusUnauthorized, map[string]any{"message": "authentication required"})
	case Forbidden403:
		return detail(http.StatusForbidden, "You do not have permission to perform this action.")
	case TokenExpired:
		return detail(http.StatusForbidden, "Token expired")
	case Reset:
		return nil
	case ResetAfter:
		s.answer(c)
		return nil
	case Timeout504:
		s.answer(c)
		return proxyPage(http.StatusGatewayTimeout)
	case Slow:
		f.wait(c)
	case SlowRows:
		for range rowsOf(c.body) {
			f.wait(c)
		}
	}
	return damage(s.answer(c), c.fault.Kind)
}

// rowsOf counts the objects in a body.
func rowsOf(body []byte) int {
	var list []json.RawMessage
	if json.Unmarshal(body, &list) == nil {
		return len(list)
	}
	return 1
}

// damage changes a correct answer.
func damage(out *reply, k FaultKind) *reply {
	page, _ := out.body.(map[string]any)
	switch k {
	case EmptyPage:
		if _, ok := page["results"]; ok {
			page["results"], page["next"] = []any{}, nil
		}
	case UnknownStatus:
		rows, ok := page["results"].([]any)
		if !ok {
			rows = []any{page}
		}
		for _, r := range rows {
			if o, ok := r.(map[string]any); ok && o["status"] != nil {
				o["status"] = map[string]any{"value": "quarantined-by-plugin", "label": "Quarantined"}
			}
		}
	}
	return out
}

func proxyPage(status int) *reply {
	title := fmt.Sprintf("%d %s", status, http.StatusText(status))
	return answer(status, "<html>\r\n<head><title>"+title+"</title></head>\r\n<body>\r\n<center><h1>"+title+"</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n")
}

func seconds(d time.Duration) string { return fmt.Sprint(int(d / time.Second)) }

// wait blocks for Until or Delay, or until the client has gone.
func (f *Fault) wait(c *call) { fault.Wait(c.Context(), f.Until, f.Delay) }

// transmit sends status and body, cut or delayed as the fault says.
func (s *Server) transmit(w http.ResponseWriter, c *call, status int, body []byte) {
	if len(body) > 0 {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	}
	w.WriteHeader(status)
	if c.Method == http.MethodHead {
		return
	}
	half := len(body)
	if c.fault != nil && (c.fault.Kind == Truncated || c.fault.Kind == Trickle) {
		half = len(body) / 2
	}
	if _, err := w.Write(body[:half]); err != nil || half == len(body) {
		return
	}
	if err := http.NewResponseController(w).Flush(); err != nil || c.fault.Kind == Truncated {
		panic(http.ErrAbortHandler)
	}
	c.fault.wait(c)
	if _, err := w.Write(body[half:]); err != nil {
		return
	}
}

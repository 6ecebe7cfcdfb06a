package netboxtest

import (
	"net/http"
	"net/url"
)

// Request is one request the server received, in the order of arrival.
type Request struct {
	Method, Path string
	Query        url.Values
	Header       http.Header
	Body         string
	Status       int      // as answered; 0: no answer was sent (connection reset)
	Ignored      []string // query parameters that this version, or the stand-in, does not know and passed over
}

// Write reports whether the request asks for a change.
func (r Request) Write() bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions
}

// Requests returns what was received since the start or the last ForgetRequests.
func (s *Server) Requests() []Request {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Writes returns the received requests that ask for a change.
func (s *Server) Writes() []Request {
	var w []Request
	for _, r := range s.Requests() {
		if r.Write() {
			w = append(w, r)
		}
	}
	return w
}

// ForgetRequests empties the record of requests.
func (s *Server) ForgetRequests() {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	s.requests = nil
}

func (s *Server) record(r *http.Request, body []byte) int {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	s.inWork++
	defer s.changed.Broadcast()
	s.requests = append(s.requests, Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), Header: r.Header.Clone(), Body: string(body)})
	return len(s.requests) - 1
}

// finished counts a request out.
func (s *Server) finished() {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	s.inWork--
	s.changed.Broadcast()
}

func (s *Server) recordAnswer(at, status int, ignored []string) {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	if at < len(s.requests) {
		s.requests[at].Status, s.requests[at].Ignored = status, ignored
	}
}

// AwaitRequests blocks until n requests have arrived since the start or the last ForgetRequests.
func (s *Server) AwaitRequests(n int) {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	for len(s.requests) < n {
		s.changed.Wait()
	}
}

// AwaitIdle blocks until no request is in work.
func (s *Server) AwaitIdle() {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	for s.inWork > 0 {
		s.changed.Wait()
	}
}

package psutest

import (
	"net/http"
	"net/url"
	"slices"
)

// Request is one request the server received, in the order of arrival.
type Request struct {
	Method string
	Path   string // below the host, decoded
	Query  url.Values
	Header http.Header
	Body   string
	Status int // as answered; 0: none yet, or the connection was ended
}

// Requests returns what was received since the start or the last
// ForgetRequests.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Writes returns the received requests but GET.
func (s *Server) Writes() []Request {
	return slices.DeleteFunc(s.Requests(), func(r Request) bool { return r.Method == http.MethodGet })
}

// ForgetRequests empties the record of requests.
func (s *Server) ForgetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// AwaitRequests blocks until n requests have arrived since the start or the
// last ForgetRequests.
func (s *Server) AwaitRequests(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.requests) < n {
		s.arrived.Wait()
	}
}

// arrive records a request and finds its fault.
func (s *Server) arrive(r *http.Request, body []byte) (*Fault, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), Header: r.Header.Clone(), Body: string(body)})
	s.arrived.Broadcast()
	return s.takeFault(r), len(s.requests) - 1
}

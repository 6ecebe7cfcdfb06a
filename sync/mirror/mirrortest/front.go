package mirrortest

import (
	"bytes"
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Front stands before a NetBox, records what passes and breaks what it is told
// to.
type Front struct {
	server   *httptest.Server
	deciding sync.Mutex // what Before was given is asked by one request at a time

	mu       sync.Mutex
	requests []Request
	before   func(Request) Break
	late     func()
	arrived  chan struct{} // one is told for each request that is late
}

// Request is one request to NetBox.
type Request struct {
	Method, Path, Query, Body string
}

// Write reports whether the request changes something.
func (r Request) Write() bool { return r.Method != http.MethodGet && r.Method != http.MethodOptions }

// Break is a way to break a request.
type Break int

// The ways.
const (
	None     Break = iota
	Lost           // it never arrives
	Unsaid         // it is carried out, but the answer is lost
	Down           // 502
	Busy           // 429
	Denied         // 403
	Error          // 500
	Echo           // 500 with the token of the request in its words
	EchoPage       // a page of a proxy, 403, with the token of the request in its title
	Late           // the answer is lost at once, and it is carried out when CarryOut says so
)

func newFront(tb testing.TB, target string) *Front {
	tb.Helper()
	base, err := url.Parse(target)
	if err != nil {
		tb.Fatal(err)
	}
	f := &Front{arrived: make(chan struct{}, 1)}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(base) },
		Transport: &http.Transport{},
		ErrorLog:  log.New(io.Discard, "", 0), // requests are given up on purpose
	}
	f.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.serve(w, r, proxy)
	}))
	tb.Cleanup(func() {
		f.server.CloseClientConnections()
		f.server.Close()
		proxy.Transport.(*http.Transport).CloseIdleConnections()
	})
	return f
}

func (f *Front) serve(w http.ResponseWriter, r *http.Request, proxy http.Handler) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	request := Request{Method: r.Method, Path: strings.TrimPrefix(r.URL.Path, "/api/"), Query: r.URL.RawQuery, Body: string(body)}
	f.mu.Lock()
	f.requests = append(f.requests, request)
	before := f.before
	f.mu.Unlock()
	way := None
	if before != nil {
		f.deciding.Lock()
		way = before(request)
		f.deciding.Unlock()
	}
	refuse := func(status int, text string) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("API-Version", "4.7")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
	switch way {
	case None:
		proxy.ServeHTTP(w, r)
	case Lost:
		panic(http.ErrAbortHandler)
	case Unsaid:
		proxy.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case Late:
		kept := r.Clone(context.WithoutCancel(r.Context()))
		f.mu.Lock()
		f.late = func() { proxy.ServeHTTP(httptest.NewRecorder(), kept) }
		f.mu.Unlock()
		select {
		case f.arrived <- struct{}{}:
		default: // nobody waited for the one before
		}
		panic(http.ErrAbortHandler)
	case Down:
		w.WriteHeader(http.StatusBadGateway)
	case Busy:
		w.Header().Set("Retry-After", "0")
		refuse(http.StatusTooManyRequests, `{"detail":"slow down"}`)
	case Denied:
		refuse(http.StatusForbidden, `{"detail":"You do not have permission to perform this action."}`)
	case Error:
		refuse(http.StatusInternalServerError, `{"error":"broken","exception":"OperationalError"}`)
	case Echo:
		refuse(http.StatusInternalServerError, `{"error":"broken by `+r.Header.Get("Authorization")+`","exception":"OperationalError"}`)
	case EchoPage:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<html><head><title>403 "+r.Header.Get("Authorization")+"</title></head></html>")
	}
}

// URL is where the mirror finds NetBox.
func (f *Front) URL() string { return f.server.URL }

// CarryOut carries out the request that was late, if there is one.
func (f *Front) CarryOut() {
	f.mu.Lock()
	late := f.late
	f.late = nil
	f.mu.Unlock()
	if late != nil {
		late()
	}
}

// AwaitLate returns once a request is late.
func (f *Front) AwaitLate(ctx context.Context) error {
	select {
	case <-f.arrived:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Before decides about every request from now on; nil: all pass.
func (f *Front) Before(decide func(Request) Break) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = decide
}

// Forget empties the record.
func (f *Front) Forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = nil
}

// Requests returns the record.
func (f *Front) Requests() []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Request(nil), f.requests...)
}

// Writes returns the recorded requests that change something.
func (f *Front) Writes() []Request {
	var out []Request
	for _, r := range f.Requests() {
		if r.Write() {
			out = append(out, r)
		}
	}
	return out
}

package netbox

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

func TestASlowServerTimesOut(t *testing.T) {
	release := make(chan struct{})
	c := answering(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })
	c.timeout = 10 * time.Millisecond
	_, err := c.once(t.Context(), http.MethodGet, Addresses, "", nil, nil, nil)
	if KindOf(err) != TimedOut || !strings.Contains(err.Error(), "netbox.timeout") {
		t.Errorf("got %v, want a time-out that names the setting", err)
	}
}

func TestAnAnswerWithoutEndIsCutOff(t *testing.T) {
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		blank := bytes.Repeat([]byte(" "), 1<<20)
		for range rest.MaxBody>>20 + 1 {
			if _, err := w.Write(blank); err != nil {
				return
			}
		}
	})
	_, err := c.page(t.Context(), Addresses, nil)
	if KindOf(err) != TooLarge {
		t.Errorf("got %v, want a too large answer", err)
	}
}

func TestReadsAreTriedAgainWhereThatMayHelp(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault netboxtest.FaultKind
		again bool
	}{
		{"connection reset", netboxtest.Reset, true},
		{"body cut off", netboxtest.Truncated, true},
		{"bad gateway", netboxtest.HTML502, true},
		{"gateway time-out", netboxtest.HTML504, true},
		{"unavailable", netboxtest.Unavailable503, true},
		{"throttled", netboxtest.Throttled429, true},
		{"exception in NetBox", netboxtest.JSON500, false},
		{"forbidden", netboxtest.Forbidden403, false},
		{"token expired", netboxtest.TokenExpired, false},
		{"login page", netboxtest.HTML200, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := netboxtest.New(t, netboxtest.Config{})
			c := connect(t, s.URL(), s.TokenV2(), silent())
			s.Fail(netboxtest.Fault{Kind: tt.fault, Times: 2, Path: "/api/ipam/ip-addresses/"})
			_, err := c.Count(t.Context(), Addresses, nil)
			if (err == nil) != tt.again {
				t.Errorf("got %v after %d requests", err, len(s.Requests()))
			}
			if n := len(s.Requests()); !tt.again && n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"7": 7 * time.Second, "0": 0, "": 0, "soon": 0, "-3": 0,
		now.Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat):       0,
	} {
		h := http.Header{"Retry-After": {value}, "Date": {now.Format(http.TimeFormat)}}
		if got := rest.RetryAfter(h); got != want {
			t.Errorf("Retry-After %q: %s, want %s", value, got, want)
		}
	}
	s := netboxtest.New(t, netboxtest.Config{})
	c := connect(t, s.URL(), s.TokenV2(), silent())
	s.Fail(netboxtest.Fault{Kind: netboxtest.Throttled429, RetryAfter: time.Hour})
	_, err := c.Count(t.Context(), Addresses, nil)
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Kind != Throttled || e.RetryAfter != time.Hour {
		t.Errorf("got %v, want a refusal for an hour", err)
	}
	if n := len(s.Requests()); n != 1 {
		t.Errorf("%d requests, want 1: an hour is not waited for", n)
	}
}

func TestNoRedirectCarriesTheTokenElsewhere(t *testing.T) {
	var elsewhere int
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	t.Cleanup(other.Close)
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	})
	for _, method := range []string{http.MethodGet, http.MethodPatch, http.MethodPost} {
		if _, err := c.once(t.Context(), method, Addresses, "", nil, []int{}, nil); KindOf(err) != Redirected {
			t.Errorf("%s: got %v, want a redirect reported", method, err)
		}
	}
	if elsewhere != 0 {
		t.Errorf("%d requests went to another host", elsewhere)
	}
}

func TestAWriteNeverCarriesAQuery(t *testing.T) {
	var query string
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		query = r.URL.RawQuery
		w.WriteHeader(http.StatusNoContent)
	})
	if _, err := c.once(t.Context(), http.MethodPatch, Addresses, "", url.Values{"fields": {"id"}}, []int{}, nil); err != nil {
		t.Fatal(err)
	}
	if query != "" {
		t.Errorf("the write asked for %q", query)
	}
}

func TestACancelledReadEndsAtOnce(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	s.Fail(netboxtest.Fault{Kind: netboxtest.Unavailable503, RetryAfter: time.Minute})
	c := connect(t, s.URL(), s.TokenV2(), silent())
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	cancel(stopped)
	if _, err := c.Count(ctx, Addresses, nil); !errors.Is(err, stopped) {
		t.Errorf("got %v, want the cause of the cancellation", err)
	}
}

func TestTheClockOfNetBoxIsWatched(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	s.SetClock(func() time.Time { return time.Now().Add(-time.Hour) })
	c := connect(t, s.URL(), s.TokenV2(), silent())
	if c.Dated() {
		t.Error("a clock was read before the first answer")
	}
	if _, err := c.Version(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !c.Dated() {
		t.Error("the answer told no time")
	}
	if skew := c.Skew(); (skew + time.Hour).Abs() > 5*time.Second { // S-9
		t.Errorf("skew %s, want about -1h", skew)
	}
}

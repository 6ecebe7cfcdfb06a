package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWordsOfAnAnswerDoNotHoldTheToken(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "<title>bad header:\n%s</title>", r.Header.Get("Authorization"))
	}))
	t.Cleanup(server.Close)
	r, err := NewRequest(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer top-secret")
	client := NewHTTP(Transport(nil, 1))
	t.Cleanup(client.CloseIdleConnections)
	a, err := Send(client, r, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := a.Words(Title(a.Body)), "bad header: Bearer [redacted]"; got != want {
		t.Errorf("words %q, want %q", got, want)
	}
}

func TestForeignTextFitsOneLine(t *testing.T) {
	for text, want := range map[string]string{
		" a\r\n\tb\x00c ":           "a b c",
		"red\x1b[31m":               "red [31m",
		"abc\u202edef":              "abc def", // it would turn the rest of the line around
		"bad \xff byte":             "bad byte",
		strings.Repeat("ä", 50):     strings.Repeat("ä", 20) + "...",
		strings.Repeat("ä", 20):     strings.Repeat("ä", 20),
		"\n":                        "",
		"Windows: Größe, 東京, 10 €.": "Windows: Größe, 東京, ...",
	} {
		if got := Clean(text, 20); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestATokenIsTakenAsItIsPasted(t *testing.T) {
	unreadable := errors.New("no such file")
	for _, tt := range []struct {
		text, want string
		err        error
	}{
		{text: "abc", want: "abc"},
		{text: "\tToken abc\r\n", want: "abc"},
		{text: "Bearer  abc", want: "abc"},
		{text: "Other abc"},
		{text: "tökän"},
		{text: "abc", err: unreadable},
	} {
		got, err := Token(func() (string, error) { return tt.text, tt.err }, "Token", "Bearer")
		if got != tt.want && tt.err == nil || (err == nil) != (tt.want != "") || tt.err != nil && !errors.Is(err, tt.err) {
			t.Errorf("%q gives %q, %v; want %q", tt.text, got, err, tt.want)
		}
	}
}

func TestRetriesEnd(t *testing.T) {
	passing, final := errors.New("passing"), errors.New("final")
	for _, tt := range []struct {
		name  string
		fails []error         // one a try; nil afterwards
		wait  time.Duration   // that the server asks for
		ctx   context.Context // nil: without end
		tries int
		err   error
	}{
		{name: "at the first success", fails: []error{passing, passing}, tries: 3},
		{name: "at an error that stays", fails: []error{passing, final, passing}, tries: 2, err: final},
		{name: "at the number of tries", fails: []error{passing, passing, passing, passing}, tries: 4, err: passing},
		{name: "at a wait that is longer than there is time", fails: []error{passing}, wait: time.Hour, tries: 1, err: passing},
		{name: "with the caller", fails: []error{passing}, wait: time.Second, ctx: ended(t, final), tries: 1, err: final},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.ctx == nil {
				tt.ctx = t.Context()
			}
			tries, pauses := 0, 0
			got, err := Retry(tt.ctx, Retries{
				First: time.Nanosecond, Tries: 4, Total: time.Minute,
				Again:   func(err error) (bool, time.Duration) { return errors.Is(err, passing), tt.wait },
				Pausing: func(error, time.Duration) { pauses++ },
			}, func() (int, error) {
				if tries++; tries <= len(tt.fails) {
					return 0, tt.fails[tries-1]
				}
				return tries, nil
			})
			if tries != tt.tries || !errors.Is(err, tt.err) || (err == nil) != (got == tries) {
				t.Errorf("%d after %d tries: %v; want %d tries: %v", got, tries, err, tt.tries, tt.err)
			}
			if tt.ctx.Err() == nil && pauses != tries-1 {
				t.Errorf("told of %d pauses between %d tries", pauses, tries)
			}
		})
	}
}

func ended(t *testing.T, cause error) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	return ctx
}

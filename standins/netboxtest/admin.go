package netboxtest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
)

// admin speaks to a NetBox for the seed and the contract.
type admin struct {
	base, auth string
	client     *http.Client
}

func newAdmin(baseURL, token string) *admin {
	word := "Token "
	if strings.HasPrefix(token, "nbt_") {
		word = "Bearer "
	}
	return &admin{base: strings.TrimSuffix(baseURL, "/") + "/api/", auth: word + token, client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// send makes one request; body nil sends none. It works in cleanups too, when the context of a test has ended.
func (a *admin) send(t testing.TB, method, path string, body any, header http.Header) (*http.Response, []byte) {
	t.Helper()
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatalf("encode body of %s %s: %v", method, path, err)
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, a.base+path, in)
	if err != nil {
		t.Fatalf("make request: %v", err)
	}
	req.Header.Set("Authorization", a.auth)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	maps.Copy(req.Header, header)
	resp, err := a.client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: read answer: %v", method, path, err)
	}
	return resp, out
}

func (a *admin) do(t testing.TB, method, path string, body any) (int, []byte) {
	t.Helper()
	resp, out := a.send(t, method, path, body, nil)
	return resp.StatusCode, out
}

type object = map[string]any

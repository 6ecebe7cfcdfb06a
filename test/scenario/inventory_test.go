//go:build linux

package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// inventory is the real NetBox as its administrator sees it over the REST API.
type inventory struct {
	url, token string
}

func realNetBox(t *testing.T) *inventory {
	t.Helper()
	n := &inventory{url: strings.TrimSuffix(os.Getenv("NETBOX_URL"), "/"), token: os.Getenv("NETBOX_TOKEN")}
	if file := os.Getenv("NETBOX_TOKEN_FILE"); n.token == "" && file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("read token: %v", err)
		}
		n.token = strings.TrimSpace(string(b))
	}
	if n.url != "" && n.token != "" {
		return n
	}
	if os.Getenv("REQUIRE_INTEGRATION") == "1" {
		t.Fatal("NETBOX_URL and NETBOX_TOKEN or NETBOX_TOKEN_FILE are not set")
	}
	t.Skip("no real NetBox: NETBOX_URL and NETBOX_TOKEN or NETBOX_TOKEN_FILE are not set")
	return nil
}

// addr is where NetBox listens.
func (n *inventory) addr(t *testing.T) netip.AddrPort {
	t.Helper()
	u, err := url.Parse(n.url)
	if err != nil {
		t.Fatal(err)
	}
	at, err := netip.ParseAddrPort(u.Host)
	if err != nil {
		t.Fatalf("NETBOX_URL must name a loopback address and a port: %v", err)
	}
	return at
}

// call makes one request; what is not as wanted fails the test.
func (n *inventory) call(t testing.TB, method, path string, body, into any) {
	t.Helper()
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, n.url+"/api/"+path, in)
	if err != nil {
		t.Fatal(err)
	}
	scheme := "Token "
	if strings.HasPrefix(n.token, "nbt_") {
		scheme = "Bearer "
	}
	req.Header.Set("Authorization", scheme+n.token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, out, err)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
}

func (n *inventory) get(t testing.TB, path string, into any) {
	t.Helper()
	n.call(t, http.MethodGet, path, nil, into)
}

// count is the number of objects a list has.
func (n *inventory) count(t testing.TB, path string) int {
	t.Helper()
	var list struct {
		Count int `json:"count"`
	}
	n.get(t, path, &list)
	return list.Count
}

// record is what NetBox shows about the lease of an address.
type record struct {
	MAC    string
	Expire time.Time // zero: empty
	Writes int       // entries of the change log since the address was made
}

func (l *lab) addressID(t testing.TB, addr netip.Prefix) int64 {
	t.Helper()
	return l.seed.ID(t, "ipam/ip-addresses", l.name("lab")+" "+addr.String())
}

func (l *lab) record(t testing.TB, addr netip.Prefix) record {
	t.Helper()
	return l.recordOf(t, l.addressID(t, addr))
}

func (l *lab) recordOf(t testing.TB, id int64) record {
	t.Helper()
	var row struct {
		Fields map[string]*string `json:"custom_fields"`
	}
	l.netbox.get(t, fmt.Sprintf("ipam/ip-addresses/%d/", id), &row)
	var r record
	if mac := row.Fields[l.field("pydhcp_mac")]; mac != nil {
		r.MAC = *mac
	}
	if expire := row.Fields[l.field("pydhcp_expire")]; expire != nil {
		at, err := time.Parse(time.RFC3339, *expire)
		if err != nil {
			t.Fatalf("IP address %d: expiry %q: %v", id, *expire, err)
		}
		r.Expire = at
	}
	r.Writes = l.netbox.count(t, fmt.Sprintf("core/object-changes/?changed_object_type=ipam.ipaddress&changed_object_id=%d&action=update&limit=1", id))
	return r
}

// change edits an IP address, as a person would.
func (l *lab) change(t testing.TB, addr netip.Prefix, fields map[string]any) {
	t.Helper()
	l.netbox.call(t, http.MethodPatch, fmt.Sprintf("ipam/ip-addresses/%d/", l.addressID(t, addr)), fields, nil)
}

// awaitRecord waits until NetBox shows the lease of an address as said. That this takes 10 s at most is shown on a
// clock of their own by the tests of the write-back; here a busy machine may take longer.
func (l *lab) awaitRecord(t *testing.T, addr netip.Prefix, mac string, expire func(time.Time) bool) record {
	t.Helper()
	var r record
	await(t, bearable, func() error {
		r = l.record(t, addr)
		if !strings.EqualFold(r.MAC, mac) || !expire(r.Expire) {
			return fmt.Errorf("%s is shown as %+v, want the MAC %s", addr, r, mac)
		}
		return nil
	})
	return r
}

// between tells whether a time lies in a span, give or take two seconds.
func between(from, to time.Time) func(time.Time) bool {
	return func(at time.Time) bool {
		return !at.Before(from.Add(-2*time.Second)) && !at.After(to.Add(2*time.Second))
	}
}

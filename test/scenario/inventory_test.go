//go:build linux

package scenario

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/integration"
)

// inventory is the real NetBox.
type inventory struct {
	integration.NetBox
}

func (n inventory) get(t testing.TB, path string, into any) {
	t.Helper()
	n.Call(t, http.MethodGet, path, nil, into)
}

// count is the number of objects a list has.
func (n inventory) count(t testing.TB, path string) int {
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
	l.netbox.Call(t, http.MethodPatch, fmt.Sprintf("ipam/ip-addresses/%d/", l.addressID(t, addr)), fields, nil)
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

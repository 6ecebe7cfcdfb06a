package follow

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

func TestTroubleNeverReplacesAGoodSnapshot(t *testing.T) { // H-3, H-4
	kinds := map[string]netboxtest.FaultKind{
		"exception": netboxtest.JSON500, "bad gateway": netboxtest.HTML502, "time-out": netboxtest.HTML504,
		"login page": netboxtest.HTML200, "permission": netboxtest.Forbidden403, "expired token": netboxtest.TokenExpired,
		"reset": netboxtest.Reset, "half a body": netboxtest.Truncated,
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
			w := follow(t, s, s.TokenV2())
			w.must(t)
			before, confirmed := w.snapshot, len(w.confirms)
			// Something would be lost if part of the poll counted.
			s.Delete(t, "ipam/prefixes", seeded.ID(t, "ipam/prefixes", "10.0.0.0/24"))
			s.Fail(netboxtest.Fault{Kind: kind, Path: "/api/ipam/ip-addresses/"})
			for range 3 {
				err := w.cycle(t.Context())
				if err == nil {
					t.Fatal("the poll succeeded")
				}
				w.report(err)
				w.clock = w.clock.Add(10 * time.Second)
			}
			if w.snapshot != before || len(w.confirms) != confirmed {
				t.Error("a failed poll changed or confirmed the snapshot")
			}
			s.ClearFaults()
			w.must(t)
			if _, err := w.snapshot.Subnet(netip.MustParseAddr("10.0.0.5")); !errors.Is(err, ipam.ErrNoSubnet) {
				t.Errorf("after the trouble: %v, want the deletion seen", err)
			}
			lines := w.lines(logrus.InfoLevel)
			lost := slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return !strings.Contains(l, "cannot be read") })
			back := slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return !strings.Contains(l, "can be read again") })
			if len(lost) != 1 || len(back) != 1 { // B-2
				t.Errorf("want one line on losing NetBox and one on getting it back, got %q", lines)
			}
			if !strings.Contains(lost[0], "ip-addresses") {
				t.Errorf("the line does not name what failed: %s", lost[0])
			}
		})
	}
}

func TestAnUnknownStatusEverywhereCostsNothing(t *testing.T) {
	s, _ := netboxtest.ServeOffice(t, netboxtest.V44)
	s.Fail(netboxtest.Fault{Kind: netboxtest.UnknownStatus, Path: "/api/ipam/ip-addresses/"})
	w := follow(t, s, s.TokenV1())
	w.must(t)
	if got := w.address("10.0.0.101").Status; got != "quarantined-by-plugin" {
		t.Errorf("status %q", got)
	}
	for _, p := range w.problems {
		if strings.Contains(p.Text, "quarantine") {
			t.Errorf("reported as a problem: %s", p)
		}
	}
}

func TestAStartWithoutNetBoxWaitsAndSaysSo(t *testing.T) { // H-1
	s, _ := netboxtest.ServeOffice(t, netboxtest.V47)
	s.Down()
	w := follow(t, s, s.TokenV2())
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		err := w.cycle(t.Context())
		if err == nil {
			t.Fatal("a cycle without NetBox succeeded")
		}
		w.report(err)
		if got, want := w.wait(err), want*time.Second; (got - want).Abs() > want/5 {
			t.Errorf("wait %d is %s, want about %s", i+1, got, want)
		}
	}
	if w.published != 0 || len(w.confirms) != 0 {
		t.Error("something was published without NetBox")
	}
	if lines := w.lines(logrus.InfoLevel); len(lines) != 1 || !strings.Contains(lines[0], "no client is served") {
		t.Errorf("logged %q, want one line", lines)
	}
	s.Up()
	w.must(t)
	if got := w.wait(nil); got != time.Second {
		t.Errorf("wait after success is %s, want the interval", got)
	}
	if w.address("10.0.0.5") == nil {
		t.Error("nothing was read after NetBox came up")
	}
}

func TestOneBadRowCostsOnlyThatRow(t *testing.T) { // B-4
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	spoil := func(body []byte) []byte {
		return bytes.ReplaceAll(body, []byte(`"address":"10.0.0.100/24"`), []byte(`"address":"banana"`))
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		record := httptest.NewRecorder()
		s.ServeHTTP(record, r)
		body := record.Body.Bytes()
		if spoil != nil {
			body = spoil(body)
		}
		maps.Copy(w.Header(), record.Header())
		w.Header().Del("Content-Length")
		w.WriteHeader(record.Code)
		if _, err := w.Write(body); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(front.Close)
	w := follow(t, s, s.TokenV2())
	w.client = clienttest.Connect(t, front.URL, s.TokenV2(), w.log)
	for range 2 {
		w.must(t)
	}
	id := seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24")
	want := ipam.Problem{Object: fmt.Sprintf("IP address (id %d)", id), Text: `"banana" is no IP address`}
	if !slices.Contains(w.problems, want) {
		t.Errorf("problems %v lack %v", w.problems, want)
	}
	if lines := w.lines(logrus.WarnLevel); len(lines) != 1 || !strings.Contains(lines[0], "banana") {
		t.Errorf("want one line that names the row, got %q", lines)
	}
	if w.address("10.0.0.100") != nil || w.address("10.0.0.101") == nil || w.address("10.0.0.5") == nil {
		t.Error("the bad row is there, or a good one is not")
	}
	spoil = nil
	s.Edit(t, "ipam/ip-addresses", id, map[string]any{"description": "repaired"})
	w.must(t)
	if w.address("10.0.0.100") == nil || slices.Contains(w.problems, want) {
		t.Errorf("the repaired row is not there, or is still reported: %v", w.problems)
	}
}

func TestAMissingCustomFieldIsReportedUntilItExists(t *testing.T) { // H-1
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	s.Delete(t, "extras/custom-fields", seeded.ID(t, "extras/custom-fields", "pydhcp_expire"))
	w := follow(t, s, s.TokenV2())
	w.must(t)
	missing := func() bool {
		return slices.ContainsFunc(w.problems, func(p ipam.Problem) bool { return p.Object == "custom field pydhcp_expire" })
	}
	if !missing() {
		t.Fatalf("not reported: %v", w.problems)
	}
	s.Add(t, "extras/custom-fields", map[string]any{"name": "pydhcp_expire", "type": "datetime", "object_types": []any{"ipam.ipaddress"}})
	s.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.101/24"), map[string]any{"description": "touched"})
	w.must(t)
	if missing() {
		t.Errorf("still reported: %v", w.problems)
	}
	var told int
	for _, line := range w.lines(logrus.WarnLevel) {
		if strings.Contains(line, "pydhcp_expire") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("logged %d times, want once: %v", told, w.lines(logrus.WarnLevel))
	}
}

func TestAListThatEndsTooEarlyCostsNothing(t *testing.T) {
	for _, path := range []string{"ipam/prefixes", "extras/config-contexts", "dcim/devices", "ipam/ip-addresses"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
			w := follow(t, s, s.TokenV2())
			w.must(t)
			before := w.snapshot
			// All rows are asked for again, those of interest by id.
			for name, e := range map[string]string{"web1": "dcim/devices", "10.0.0.100/24": "ipam/ip-addresses"} {
				s.Edit(t, e, seeded.ID(t, e, name), map[string]any{"description": "touched"})
			}
			s.Fail(netboxtest.Fault{Kind: netboxtest.EmptyPage, Path: "/api/" + path + "/"})
			w.clock = w.clock.Add(fullEvery)
			for range 2 {
				if err := w.cycle(t.Context()); err != nil && netbox.KindOf(err) != netbox.Incomplete {
					t.Errorf("got %v, want an incomplete list reported", err)
				}
			}
			for _, table := range Tables() {
				o := w.snapshot.Objects()
				if rowsOf(table).size(o) != rowsOf(table).size(before.Objects()) {
					t.Errorf("%d %s, want %d", rowsOf(table).size(o), table, rowsOf(table).size(before.Objects()))
				}
			}
			s.ClearFaults()
			w.must(t)
		})
	}
}

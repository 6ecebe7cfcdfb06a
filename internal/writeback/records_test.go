package writeback

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/follow"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// viewAll is what a token needs to follow.
func viewAll() []netboxtest.Grant {
	var models []string
	for _, table := range follow.Tables() {
		models = append(models, table.Model())
	}
	return netboxtest.ReadGrants(models...)
}

func leaseEnd() time.Time { return time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC) }

// change is the record that an address of the seed is to get.
func change(t *testing.T, seeded *netboxtest.Seeded, address string) RecordChange {
	t.Helper()
	return RecordChange{
		ID:     seeded.ID(t, "ipam/ip-addresses", address),
		Addr:   netip.MustParsePrefix(address).Addr(),
		Record: ipam.Record{Client: "52:54:00:00:00:77", Expires: leaseEnd(), Hostname: "laptop"},
	}
}

// shown is the record as NetBox has it.
func shown(t *testing.T, s *netboxtest.Server, id int64) ipam.Record {
	t.Helper()
	raw, err := json.Marshal(s.Get("ipam/ip-addresses", id)["custom_fields"])
	if err != nil {
		t.Fatal(err)
	}
	var have map[string]json.RawMessage
	if err := json.Unmarshal(raw, &have); err != nil {
		t.Fatal(err)
	}
	return testFields().Record(have)
}

func wantOutcomes(t *testing.T, results []RecordResult, want ...netbox.Outcome) {
	t.Helper()
	if len(results) != len(want) {
		t.Fatalf("%d results, want %d", len(results), len(want))
	}
	for i, r := range results {
		if r.Outcome != want[i] {
			t.Errorf("result %d is %s (%v), want %s", i, r.Outcome, r.Err, want[i])
		}
		if stamped := !r.LastUpdated.IsZero(); stamped != (want[i] == netbox.Done || want[i] == netbox.Unchanged) {
			t.Errorf("result %d (%s) has last_updated %v", i, r.Outcome, r.LastUpdated)
		}
		if want[i] == netbox.Refused || want[i] == netbox.Failed {
			if r.Err == nil {
				t.Errorf("result %d (%s) has no reason", i, r.Outcome)
			}
		}
	}
}

func TestRecordsAreWrittenOnceAndThenLeftAlone(t *testing.T) { // S-10
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, seeded := netboxtest.ServeOffice(t, v)
			c := clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent())
			changes := []RecordChange{change(t, seeded, "10.0.0.100/24"), change(t, seeded, "10.0.0.101/24")}
			wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), changes), netbox.Done, netbox.Done)
			for _, want := range changes {
				if got := shown(t, s, want.ID); got != want.Record {
					t.Errorf("%s shows %+v, want %+v", want.Addr, got, want.Record)
				}
			}
			if n := len(s.Writes()); n != 1 {
				t.Errorf("%d writes, want 1 for both", n)
			}
			if tags := s.Get("ipam/ip-addresses", changes[0].ID)["tags"]; len(tags.([]any)) != 1 {
				t.Errorf("the tags were touched: %v", tags)
			}
			s.ForgetRequests()
			wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), changes), netbox.Unchanged, netbox.Unchanged)
			wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), changes[:1]), netbox.Unchanged)
			if n := len(s.Writes()); n != 0 {
				t.Errorf("%d writes that change nothing", n)
			}
		})
	}
}

func TestWhatCannotBeWrittenHoldsUpNothingElse(t *testing.T) {
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, seeded := netboxtest.ServeOffice(t, v)
			c := clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent())
			dhcp := seeded.ID(t, "extras/tags", "DHCP")
			var changes []RecordChange
			var want []netbox.Outcome
			for i := range 20 {
				host := fmt.Sprintf("10.0.0.%d", 150+i)
				id := s.Add(t, "ipam/ip-addresses", map[string]any{"address": host + "/24", "tags": []any{dhcp}})
				r := RecordChange{ID: id, Addr: netip.MustParseAddr(host), Record: ipam.Record{Client: "52:54:00:00:00:77", Expires: leaseEnd()}}
				outcome := netbox.Done
				switch i {
				case 3: // deleted meanwhile
					s.Delete(t, "ipam/ip-addresses", id)
					outcome = netbox.Gone
				case 5: // renumbered meanwhile
					s.Edit(t, "ipam/ip-addresses", id, map[string]any{"address": "10.0.0.250/24"})
					outcome = netbox.Gone
				case 7, 15: // a host name that the field's rule refuses
					r.Record.Hostname = "no"
					outcome = netbox.Refused
				}
				changes, want = append(changes, r), append(want, outcome)
			}
			field := seeded.ID(t, "extras/custom-fields", "pydhcp_hostname")
			s.Edit(t, "extras/custom-fields", field, map[string]any{"validation_regex": "^[a-z]{5,}$"})
			wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), changes), want...)
		})
	}
}

func TestAFieldThatIsNotDefinedIsNoticed(t *testing.T) {
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, seeded := netboxtest.ServeOffice(t, v)
			s.Delete(t, "extras/custom-fields", seeded.ID(t, "extras/custom-fields", "pydhcp_hostname"))
			c := clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent())
			one, two := change(t, seeded, "10.0.0.100/24"), change(t, seeded, "10.0.0.101/24")
			wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), []RecordChange{one, two}), netbox.Refused, netbox.Refused)
			wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), []RecordChange{one}), netbox.Refused)
		})
	}
}

func TestALostAnswerIsNoLostWrite(t *testing.T) { // H-3, S-4
	for name, kind := range map[string]netboxtest.FaultKind{
		"connection reset": netboxtest.ResetAfter, "gateway time-out": netboxtest.Timeout504,
	} {
		for _, v := range []netboxtest.Version{netboxtest.V44, netboxtest.V47} {
			t.Run(name+", NetBox "+string(v), func(t *testing.T) {
				s, seeded := netboxtest.ServeOffice(t, v)
				c := clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent())
				changes := []RecordChange{change(t, seeded, "10.0.0.100/24"), change(t, seeded, "10.0.0.101/24")}
				s.Fail(netboxtest.Fault{Kind: kind, Method: "PATCH", Times: 1})
				wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), changes), netbox.Failed, netbox.Failed)
				wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), changes), netbox.Unchanged, netbox.Unchanged)
				if n := len(s.Writes()); n != 1 {
					t.Errorf("%d writes, want 1: the first one had been carried out", n)
				}
			})
		}
	}
}

func TestAWriteIsNeverRepeatedBlindly(t *testing.T) {
	for name, kind := range map[string]netboxtest.FaultKind{
		"reset": netboxtest.Reset, "bad gateway": netboxtest.HTML502, "throttled": netboxtest.Throttled429,
		"unavailable": netboxtest.Unavailable503, "exception": netboxtest.JSON500, "forbidden": netboxtest.Forbidden403,
		"login page": netboxtest.HTML200,
	} {
		t.Run(name, func(t *testing.T) {
			s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
			c := clienttest.Connect(t, s.URL(), s.TokenV2(), clienttest.Silent())
			s.Fail(netboxtest.Fault{Kind: kind, Method: "PATCH"})
			changes := []RecordChange{change(t, seeded, "10.0.0.100/24"), change(t, seeded, "10.0.0.101/24")}
			wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), changes), netbox.Failed, netbox.Failed)
			if n := len(s.Writes()); n != 1 {
				t.Errorf("%d writes, want 1", n)
			}
		})
	}
}

func TestATokenThatMayNotWriteSaysWhichPermissionIsMissing(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	const token = "limited000000000000000000000000000000000"
	s.Permit(token, viewAll()...)
	c := clienttest.Connect(t, s.URL(), token, clienttest.Silent())
	results := WriteRecords(t.Context(), c, testFields(), []RecordChange{change(t, seeded, "10.0.0.100/24")})
	wantOutcomes(t, results, netbox.Failed)
	if err := results[0].Err.Error(); !strings.Contains(err, "change on ipam.ipaddress") || !strings.Contains(err, "write enabled") {
		t.Errorf("the error does not name the permission: %s", err)
	}
}

func TestAnAddressTheTokenMayOnlySeeIsRefusedAlone(t *testing.T) {
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, seeded := netboxtest.ServeOffice(t, v)
			mine, other := change(t, seeded, "10.0.0.100/24"), change(t, seeded, "10.0.0.5/24")
			const token = "limited000000000000000000000000000000000"
			s.Permit(token, append(viewAll(), netboxtest.Grant{Object: "ipam.ipaddress", Actions: []string{"change"}, Tag: "dhcp"})...)
			c := clienttest.Connect(t, s.URL(), token, clienttest.Silent())
			wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), []RecordChange{other, mine}), netbox.Refused, netbox.Done)
			wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), []RecordChange{other}), netbox.Refused)
		})
	}
}

func TestASingleWriteGivesWayToAnEditMadeMeanwhile(t *testing.T) { // S-3
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V46)
	r := change(t, seeded, "10.0.0.100/24")
	c := clienttest.Connect(t, s.URL(), s.TokenV2(), clienttest.Silent())
	// Between reading and writing an operator changes the row; the answer to the
	// read arrives late.
	hold := make(chan struct{})
	s.Fail(netboxtest.Fault{Kind: netboxtest.Slow, Method: "PATCH", Times: 1, Until: hold})
	done := make(chan []RecordResult, 1)
	go func() { done <- WriteRecords(t.Context(), c, testFields(), []RecordChange{r}) }()
	netboxtest.AwaitWrite(t, s)
	s.Edit(t, "ipam/ip-addresses", r.ID, map[string]any{"custom_fields": map[string]any{"pydhcp_hostname": "edited"}})
	close(hold)
	wantOutcomes(t, <-done, netbox.Done)
	writes := s.Writes()
	if len(writes) != 2 || writes[0].Status != 412 || writes[1].Status != 200 {
		t.Errorf("want a write that was refused with 412 and one that was not, got %d: %+v", len(writes), writes)
	}
	if got := shown(t, s, r.ID); got != r.Record {
		t.Errorf("shows %+v, want %+v", got, r.Record)
	}
}

func TestManyRecordsGoInBatches(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	dhcp := seeded.ID(t, "extras/tags", "DHCP")
	c := clienttest.Connect(t, s.URL(), s.TokenV2(), clienttest.Silent())
	var changes []RecordChange
	for i := range 230 {
		host := netip.AddrFrom4([4]byte{10, 0, 2, byte(i)})
		id := s.Add(t, "ipam/ip-addresses", map[string]any{"address": host.String() + "/16", "tags": []any{dhcp}})
		changes = append(changes, RecordChange{ID: id, Addr: host, Record: ipam.Record{Client: "52:54:00:00:00:77", Expires: leaseEnd()}})
	}
	for i, r := range WriteRecords(t.Context(), c, testFields(), changes) {
		if r.Outcome != netbox.Done {
			t.Errorf("change %d is %s: %v", i, r.Outcome, r.Err)
		}
	}
	if n := len(s.Writes()); n != 3 && n != 2 {
		t.Errorf("%d writes, want 2 or 3", n)
	}
}

func TestACancelledWriteMayBeTriedAgain(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	c := clienttest.Connect(t, s.URL(), s.TokenV2(), clienttest.Silent())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantOutcomes(t, WriteRecords(ctx, c, testFields(), []RecordChange{change(t, seeded, "10.0.0.100/24")}), netbox.Failed)
}

// S-12: the record is asked for once more right before it would be written over.
func TestAForeignRecordIsKept(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	c := clienttest.Connect(t, s.URL(), s.TokenV2(), clienttest.Silent())
	kept, free := change(t, seeded, "10.0.0.101/24"), change(t, seeded, "10.0.0.100/24")
	before := shown(t, s, kept.ID)
	keep := func(have ipam.Record, updated time.Time) bool {
		return have.Client == before.Client && !updated.IsZero()
	}
	kept.Keep, free.Keep = keep, keep
	wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), []RecordChange{kept, free}), netbox.Changed, netbox.Done)
	if got := shown(t, s, kept.ID); got != before {
		t.Errorf("record %+v, want %+v", got, before)
	}
}

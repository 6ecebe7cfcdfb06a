package writeback

import (
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

func TestRecordsAreShownInARealNetBox(t *testing.T) {
	url, token := netboxtest.Disposable(t)
	c := clienttest.Connect(t, url, token, clienttest.Silent())
	seeded := netboxtest.Seed(t, url, token, netboxtest.Office())
	one, two := change(t, seeded, "10.0.0.100/24"), change(t, seeded, "10.0.0.101/24")
	one.Message, two.Message = "lease", strings.Repeat("x", 300)
	two.Bind = ipam.InterfaceID{Kind: ipam.VirtualMachine, ID: seeded.ID(t, "virtualization/interfaces", "vm1 eth0")}
	both := []RecordChange{one, two}
	wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), both), netbox.Done, netbox.Done)
	wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), both), netbox.Unchanged, netbox.Unchanged)

	one.Record.Expires = one.Record.Expires.Add(time.Hour)
	wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), []RecordChange{one}), netbox.Done)
	wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), []RecordChange{one}), netbox.Unchanged)
	two.Bind, two.Unbind = ipam.InterfaceID{}, two.Bind
	wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), []RecordChange{two}), netbox.Done)

	taken := change(t, seeded, "10.0.0.5/24") // the primary address of web1
	taken.Bind = two.Unbind
	gone := one
	gone.ID = 1 << 30
	results := WriteRecords(t.Context(), c, testFields(), []RecordChange{taken, gone, one})
	wantOutcomes(t, results, netbox.Done, netbox.Gone, netbox.Unchanged)
	if results[0].Err == nil {
		t.Error("the refused assignment is not reported")
	}
}

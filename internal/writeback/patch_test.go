package writeback

import (
	"fmt"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/follow"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

func TestOnlyWhatDiffersIsSent(t *testing.T) { // S-4
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V45)
	c := clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent())
	r := change(t, seeded, "10.0.0.101/24")
	r.Record = ipam.Record{Client: "52:54:00:00:00:09", Expires: leaseEnd()} // same client, no name this time
	wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), []RecordChange{r}), netbox.Done)
	want := fmt.Sprintf(`[{"custom_fields":{"pydhcp_expire":"2026-05-06T07:08:09+00:00"},"id":%d}]`, r.ID)
	if got := strings.TrimSpace(s.Writes()[0].Body); got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
	if got := shown(t, s, r.ID); got.Hostname != "printer" {
		t.Errorf("host name %q was cleared by a client that sent none", got.Hostname)
	}
}

func TestTextFieldsHoldRecordsToo(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	w := netboxtest.Office()
	for i := range w.CustomFields {
		if w.CustomFields[i].Name == "pydhcp_expire" {
			w.CustomFields[i].Type = "text"
		}
	}
	seeded := netboxtest.Seed(t, s.URL(), s.TokenV1(), w)
	c := clienttest.Connect(t, s.URL(), s.TokenV2(), clienttest.Silent())
	r := change(t, seeded, "10.0.0.100/24")
	wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), []RecordChange{r}), netbox.Done)
	wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), []RecordChange{r}), netbox.Unchanged)
	if got := shown(t, s, r.ID); got != r.Record {
		t.Errorf("shows %+v, want %+v", got, r.Record)
	}
}

func TestARecordCanBeCleared(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	c := clienttest.Connect(t, s.URL(), s.TokenV2(), clienttest.Silent())
	r := change(t, seeded, "10.0.0.101/24")
	r.Record = ipam.Record{}
	wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), []RecordChange{r}), netbox.Done)
	if got, want := shown(t, s, r.ID), (ipam.Record{Hostname: "printer"}); got != want {
		t.Errorf("shows %+v, want %+v", got, want)
	}
}

func TestBindingFollowsTheLease(t *testing.T) { // clients.bind_interface, A-4
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, seeded := netboxtest.ServeOffice(t, v)
			c := clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent())
			eth0 := ipam.InterfaceID{Kind: ipam.VirtualMachine, ID: seeded.ID(t, "virtualization/interfaces", "vm1 eth0")}
			mgmt := ipam.InterfaceID{Kind: ipam.Device, ID: seeded.ID(t, "dcim/interfaces", "web1 mgmt")}
			assigned := func(id int64) ipam.InterfaceID {
				row := s.Get("ipam/ip-addresses", id)
				kind, _ := row["assigned_object_type"].(string)
				n, _ := row["assigned_object_id"].(int64)
				return follow.AssignedTo(kind, n)
			}
			r := change(t, seeded, "10.0.0.100/24")
			r.Bind = eth0
			wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), []RecordChange{r}), netbox.Done)
			if got := assigned(r.ID); got != eth0 {
				t.Errorf("assigned to %v, want %v", got, eth0)
			}
			wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), []RecordChange{r}), netbox.Unchanged)
			r.Bind = mgmt
			wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), []RecordChange{r}), netbox.Done)
			if got := assigned(r.ID); got != mgmt {
				t.Errorf("assigned to %v, want %v", got, mgmt)
			}
			r.Bind, r.Unbind = ipam.InterfaceID{}, eth0
			wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), []RecordChange{r}), netbox.Unchanged)
			if got := assigned(r.ID); got != mgmt {
				t.Errorf("an assignment that was not ours was taken back: %v", got)
			}
			r.Unbind = mgmt
			wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), []RecordChange{r}), netbox.Done)
			if got := assigned(r.ID); got != (ipam.InterfaceID{}) {
				t.Errorf("still assigned to %v", got)
			}
		})
	}
}

func TestARefusedAssignmentDoesNotKeepTheRecordFromBeingShown(t *testing.T) {
	for _, v := range netboxtest.Versions() {
		for _, alone := range []bool{true, false} {
			t.Run(fmt.Sprintf("NetBox %s, alone %t", v, alone), func(t *testing.T) {
				s, seeded := netboxtest.ServeOffice(t, v)
				c := clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent())
				// The primary address of web1 cannot go to another machine.
				r := change(t, seeded, "10.0.0.5/24")
				r.Bind = ipam.InterfaceID{Kind: ipam.VirtualMachine, ID: seeded.ID(t, "virtualization/interfaces", "vm1 eth0")}
				changes, want := []RecordChange{r}, []netbox.Outcome{netbox.Done}
				if !alone {
					changes, want = append(changes, change(t, seeded, "10.0.0.100/24")), append(want, netbox.Done)
				}
				results := WriteRecords(t.Context(), c, testFields(), changes)
				wantOutcomes(t, results, want...)
				if results[0].Err == nil {
					t.Error("nothing says that the assignment was left out")
				}
				if got := shown(t, s, r.ID); got != r.Record {
					t.Errorf("shows %+v, want %+v", got, r.Record)
				}
			})
		}
	}
}

func TestTheChangeLogSaysWhyFrom44On(t *testing.T) {
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, seeded := netboxtest.ServeOffice(t, v)
			c := clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent())
			r := change(t, seeded, "10.0.0.100/24")
			r.Message = strings.Repeat("ä", 500)
			wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), []RecordChange{r}), netbox.Done)
			body := s.Writes()[0].Body
			version, err := c.Version(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			known := version.AtLeast(4, 4)
			if got := strings.Count(body, "ä"); known && got != 200 || !known && got != 0 {
				t.Errorf("%d characters of message sent", got)
			}
		})
	}
}

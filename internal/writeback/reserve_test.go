package writeback

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/follow"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// reserveFields are names of fields with those of reservations.
func reserveFields() follow.Fields {
	return follow.Fields{MAC: "pydhcp_mac", Expire: "pydhcp_expire", ReservationMAC: "res_mac", ReservationID: "res_id"}
}

// planned is the plan for a lease of an address of the Office, which is read as it is.
func planned(t *testing.T, c *netbox.Client, host, client string) (*Reservation, error) {
	t.Helper()
	o := &ipam.Objects{Prefixes: map[int64]*ipam.Prefix{1: {ID: 1, Prefix: netip.MustParsePrefix("10.0.0.0/24"), Status: "active"}}, Addresses: map[int64]*ipam.Address{}, Tags: map[int64]*ipam.Tag{}}
	err := c.List(t.Context(), netbox.Tags, nil, func(raw json.RawMessage) (int64, error) {
		var tag struct {
			ID         int64
			Name, Slug string
		}
		err := json.Unmarshal(raw, &tag)
		o.Tags[tag.ID] = &ipam.Tag{ID: tag.ID, Name: tag.Name, Slug: tag.Slug}
		return tag.ID, err
	})
	if err != nil {
		t.Fatal(err)
	}
	err = c.List(t.Context(), netbox.Addresses, nil, func(raw json.RawMessage) (int64, error) {
		row := new(reservedRow)
		if err := json.Unmarshal(raw, row); err != nil {
			return 0, err
		}
		p, err := netbox.ParseAddress(row.Address)
		o.Addresses[row.ID] = &ipam.Address{ID: row.ID, Address: p, Status: string(row.Status), Role: string(row.Role), Tags: netbox.IDs(row.Tags),
			Interface: follow.AssignedTo(row.AssignedType, row.AssignedID), Record: reserveFields().Record(row.CustomFields), Reserved: reserveFields().Reservation(row.CustomFields), LastUpdated: row.LastUpdated.Time}
		return row.ID, err
	})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := ipam.Build(o, ipam.Options{DynamicTag: "DHCP"})
	return PlanReservation(s, reserveFields(), "", lease.Lease{Addr: netip.MustParseAddr(host), Client: lease.ClientID(client), State: lease.Bound, Expires: time.Now().Add(time.Hour)})
}

// reserveOn seeds a NetBox and reserves an address in it, which another program changes
// at first (C-15).
func reserveOn(t *testing.T, url, token string) {
	t.Helper()
	onAddresses := []string{"ipam.ipaddress"}
	netboxtest.Seed(t, url, token, netboxtest.World{
		Tags: []netboxtest.Tag{{Name: "DHCP"}, {Name: "keep"}},
		CustomFields: []netboxtest.CustomField{
			{Name: "pydhcp_mac", Type: "text", ObjectTypes: onAddresses}, {Name: "pydhcp_expire", Type: "datetime", ObjectTypes: onAddresses}, {Name: "res_mac", Type: "text", ObjectTypes: onAddresses},
		},
		Prefixes: []netboxtest.Prefix{{Prefix: "10.0.0.0/24", Status: "active"}},
		IPs:      []netboxtest.IP{{Address: "10.0.0.100/24", Tags: []string{"DHCP", "keep"}, CustomFields: map[string]any{"pydhcp_mac": "52:54:00:00:00:01"}}},
	})
	c := clienttest.Connect(t, url, token, clienttest.Silent())
	plan, err := planned(t, c, "10.0.0.100", "52:54:00:00:00:01")
	if err != nil || len(plan.Steps) != 3 {
		t.Fatalf("%+v, %v", plan, err)
	}
	if err := c.Update(t.Context(), netbox.Addresses, plan.was.ID, map[string]any{"status": "deprecated"}); err != nil {
		t.Fatal(err)
	}
	if err := Reserve(t.Context(), c, plan); err == nil || !strings.Contains(err.Error(), "NetBox changed since the plan was made") {
		t.Errorf("after a change of another program: %v", err)
	}
	if err := c.Update(t.Context(), netbox.Addresses, plan.was.ID, map[string]any{"status": "active"}); err != nil {
		t.Fatal(err)
	}
	if err := Reserve(t.Context(), c, plan); err != nil {
		t.Fatal(err)
	}
	again, err := planned(t, c, "10.0.0.100", "52:54:00:00:00:01")
	if err != nil || len(again.Steps) != 0 || len(again.was.Tags) != 1 || again.was.Reserved == nil || again.was.Record.Client != "" {
		t.Errorf("afterwards %+v, %v", again, err)
	}
	if _, err := planned(t, c, "10.0.0.100", "52:54:00:00:00:02"); !errors.Is(err, ErrNotReservable) || !strings.Contains(err.Error(), "name another client") {
		t.Errorf("for another client: %v", err)
	}
	if err := Reserve(t.Context(), c, plan); err == nil || !strings.Contains(err.Error(), "NetBox changed") {
		t.Errorf("the old plan a second time: %v", err)
	}
}

// C-15
func TestAReservationIsWrittenIfNetBoxIsAsShown(t *testing.T) {
	for _, version := range netboxtest.Versions() {
		t.Run("NetBox "+string(version), func(t *testing.T) {
			s := netboxtest.New(t, netboxtest.Config{Version: version})
			reserveOn(t, s.URL(), s.TokenV1())
		})
	}
}

// C-15
func TestAReservationIsWrittenInARealNetBox(t *testing.T) {
	url, token := netboxtest.Disposable(t)
	reserveOn(t, url, token)
}

package plan

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

func everyField(string) bool { return true }

// What changes say of two objects makes one of the other.
func TestChangesOfAnAddressMakeIt(t *testing.T) {
	text := rapid.SampledFrom([]string{"", "a", "b"})
	rapid.Check(t, func(t *rapid.T) {
		draw := func() state.Address {
			x := state.Address{
				ID: 7, Address: netip.MustParsePrefix("10.8.4.33/24"), Status: rapid.SampledFrom([]string{"dhcp", "reserved"}).Draw(t, "status"),
				DNSName: text.Draw(t, "name"), ClientID: text.Draw(t, "client"), Managed: state.Managed(text.Draw(t, "managed")), LeaseHostname: text.Draw(t, "host"),
			}
			if rapid.Bool().Draw(t, "lease") {
				active := rapid.Bool().Draw(t, "active")
				x.LeaseActive, x.LeaseExpires = &active, time.Unix(rapid.Int64Range(1, 1<<32).Draw(t, "expires"), 0).UTC()
			}
			return x
		}
		have, want := draw(), draw()
		s := Step{Target: NetBox, Action: state.Update, Kind: state.IPAddress, ID: 7, Changes: AddressChanges(&have, &want, everyField)}
		after := After(&state.State{Addresses: []state.Address{{ID: 6}, have}}, []Step{s})
		if diff := cmp.Diff([]state.Address{{ID: 6}, want}, after.Addresses, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	})
}

func TestAfterIsNetBoxWithTheStepsDone(t *testing.T) {
	before := &state.State{
		Addresses: []state.Address{{ID: 1, Status: "dhcp", Tags: []string{"a", state.TagInvalid}}, {ID: 2, Status: "dhcp"}},
		Ranges:    []state.Range{{ID: 5, Start: netip.MustParseAddr("10.8.4.20"), End: netip.MustParseAddr("10.8.4.99"), Bits: 24, ScopeName: "Lab"}},
		Contexts:  []state.Context{{ID: 9, Name: CodesContext, Data: json.RawMessage(`{}`)}},
	}
	subnet := netip.MustParsePrefix("10.8.6.0/25")
	steps := []Step{
		{Target: NetBox, Action: state.Update, Kind: state.IPAddress, ID: 1, RemoveTags: []string{state.TagInvalid}, AddTags: []string{"b"}},
		{Target: NetBox, Action: state.Delete, Kind: state.IPAddress, ID: 2},
		{Target: NetBox, Action: state.Create, Kind: state.IPAddress, Changes: []Change{{"address", nil, "10.8.6.30/25"}, {"vrf", nil, int64(3)}, {"status", nil, "reserved"}}},
		{Target: NetBox, Action: state.Update, Kind: state.IPRange, ID: 5, Changes: []Change{{"start_address", "10.8.4.20/24", "10.8.4.30/24"}, {CustomField(state.FieldLeaseSeconds), nil, int64(60)}}},
		{Target: NetBox, Action: state.Create, Kind: state.IPRange, Scope: subnet, VRF: 3, AddTags: []string{state.TagScope},
			Changes: []Change{{"start_address", nil, "10.8.6.1/25"}, {"end_address", nil, "10.8.6.9/25"}, {CustomField(state.FieldServer), nil, "dh1"}}},
		{Target: NetBox, Action: state.Create, Kind: state.IPPrefix, Scope: subnet, VRF: 3, Changes: []Change{{CustomField(state.FieldScopes), nil, "| a |"}}},
		{Target: NetBox, Action: state.Update, Kind: state.ConfigContext, ID: 9, Changes: []Change{{"data", nil, json.RawMessage(`{"a":1}`)}}},
		{Target: "dh1", Action: state.Delete, Kind: state.IPAddress, ID: 1},
	}
	want := &state.State{
		Addresses: []state.Address{
			{ID: 1, Status: "dhcp", Tags: []string{"a", "b"}},
			{Address: netip.MustParsePrefix("10.8.6.30/25"), VRF: 3, Status: "reserved"},
		},
		Ranges: []state.Range{
			{ID: 5, Start: netip.MustParseAddr("10.8.4.30"), End: netip.MustParseAddr("10.8.4.99"), Bits: 24, ScopeName: "Lab", LeaseSeconds: 60},
			{
				Start: netip.MustParseAddr("10.8.6.1"), End: netip.MustParseAddr("10.8.6.9"), Bits: 25, VRF: 3, Status: "active",
				Role: state.RoleScope, Server: "dh1", Tags: []string{state.TagScope},
			},
		},
		Prefixes: []state.Prefix{{Prefix: subnet, VRF: 3, Status: "active", Scopes: "| a |"}},
		Contexts: []state.Context{{ID: 9, Name: CodesContext, Data: json.RawMessage(`{"a":1}`)}},
	}
	same := cmp.Options{cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })}
	got := After(before, steps)
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if before.Addresses[0].Tags[1] != state.TagInvalid || before.Ranges[0].LeaseSeconds != 0 || string(before.Contexts[0].Data) != "{}" {
		t.Error("the state of before was changed")
	}
}

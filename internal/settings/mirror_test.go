package settings

import (
	"slices"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// CL-1: no field of addresses that the mirror writes can name a client.
func TestTheFieldsOfTheMirrorAreItsOwn(t *testing.T) {
	want := []string{state.FieldClientID, state.FieldManaged, state.FieldLeaseHostname, state.FieldLeaseActive, state.FieldLeaseExpires}
	if !slices.Equal(mirrorFields(), want) {
		t.Errorf("%v, want %v", mirrorFields(), want)
	}
}

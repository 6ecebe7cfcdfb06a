package follow

import (
	"encoding/json"
	"testing"

	api "github.com/netbox-community/go-netbox/v4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// Why go-netbox does not decode what is read: one status it does not know
// fails the page.
func TestOneUnknownStatusFailsAPageInGoNetBoxButNotHere(t *testing.T) {
	const body = `{"count":1,"next":null,"previous":null,"results":[{"id":1,"url":"http://n/api/ipam/ip-addresses/1/","display":"10.0.0.5/24",
		"family":{"value":4,"label":"IPv4"},"address":"10.0.0.5/24","nat_outside":[],"status":{"value":"quarantine","label":"Quarantine"}}]}`
	var theirs api.PaginatedIPAddressList
	if err := json.Unmarshal([]byte(body), &theirs); err == nil {
		t.Error("go-netbox decodes a custom status now: the boundary may be drawn anew")
	}
	row := testDecoder().row(netbox.Addresses, results(t, []byte(body))[0])
	if a, ok := row.value.(*ipam.Address); !ok || a.Status != "quarantine" {
		t.Errorf("read as %+v, %v", row.value, row.reason)
	}
}

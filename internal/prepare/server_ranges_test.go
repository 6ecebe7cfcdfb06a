package prepare

import (
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// S-17: what is written decides which rights and fields are needed.
func TestNeedsByWriteBack(t *testing.T) {
	for name, c := range map[string]struct {
		server                     Server
		change, add, remove, field bool
	}{
		"existing": {Server{}, true, false, false, false},
		"leased":   {Server{Made: "dhcp_made_for_lease"}, true, true, true, true},
		"none":     {Server{ReadsOnly: true}, false, false, false, false},
	} {
		rights, field := make(map[string]bool), false
		for _, need := range c.server.Needs() {
			switch n := need.(type) {
			case Right:
				rights[n.Action] = rights[n.Action] || n.Table == netbox.Addresses
			case Field:
				field = field || n.Name == "dhcp_made_for_lease"
			}
		}
		if rights["change"] != c.change || rights["add"] != c.add || rights["delete"] != c.remove || field != c.field {
			t.Errorf("%s: rights %v, field %v", name, rights, field)
		}
	}
}

package launch

import (
	"net/netip"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// README's own settings have no server_id line.
func TestExplainNamesAnAddressOfThisMachineItself(t *testing.T) {
	for name, c := range map[string]struct {
		chain settings.Chain
		q     question
		want  string // empty: any
	}{
		"the interface that is listened on":  {settings.Chain{Listen: []settings.Listener{{Addr: netip.IPv4Unspecified(), Interface: "lo"}}}, question{}, "127.0.0.1"},
		"the address that is listened on":    {settings.Chain{Listen: []settings.Listener{{Addr: netip.MustParseAddr("10.10.0.2")}}}, question{}, "10.10.0.2"},
		"an interface that is not there yet": {settings.Chain{Listen: []settings.Listener{{Addr: netip.IPv4Unspecified(), Interface: "none0"}}}, question{}, ""},
		"nothing but the machine":            {settings.Chain{}, question{}, ""},
		"the word of the command line":       {settings.Chain{}, question{serverID: "10.0.0.9"}, "10.0.0.9"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.q.identifier(c.chain)
			if err != nil || c.want != "" && got.String() != c.want {
				t.Errorf("got %s, %v, want %s", got, err, c.want)
			}
		})
	}
}

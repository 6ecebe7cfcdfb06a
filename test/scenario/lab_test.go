//go:build linux

package scenario

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/integration"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// bearable bounds every wait for something that takes a second or two on an idle machine.
const bearable = time.Minute

// lab is what all stories of one run share: the binary, the NetBox and what it holds.
type lab struct {
	run     string // ends every name in NetBox
	bin     string
	netbox  inventory
	seed    *netboxtest.Seeded
	token   string // file with the least-privilege token the server uses
	limit   func(t *testing.T, readOnly bool, grants ...netboxtest.Grant) string
	macBase [3]byte
}

// TestScenarios runs the stories on one world, two at a time. First, and one by one,
// run those that need a NetBox without leases, and those that take so much from
// NetBox that every server doubts it: what another story deletes meanwhile would be
// doubted with it.
func TestScenarios(t *testing.T) {
	l := newLab(t)
	for _, story := range []struct {
		name  string
		tell  func(*testing.T, *lab)
		alone bool
	}{
		{"a machine gets the address of its switch port, where the cable of NetBox leads", aSwitchPortIsAPlace, true},
		{"a replaced switch gets the address of its place", aReplacedSwitchFindsItsPlace, true},
		{"un-relayed clients get addresses of the interface they are on", interfacesServeTheirOwnPrefixes, false},
		{"known machines get the address assigned to their interface", staticClients, false},
		{"unknown machines lease tagged addresses with every client program, direct and relayed", dynamicClients, false},
		{"gateway and name servers follow the prefix, the machine and the site", gatewayAndNameServers, false},
		{"a lease is renewed and released", renewAndRelease, false},
		{"a client that moved is refused its old address and gets a new one", movedClientIsRefused, false},
		{"without nak a client that moved is met with silence", movedClientMeetsSilence, false},
		{"an edit in NetBox reaches the client", editsReachTheClient, false},
		{"NetBox goes away and comes back", netboxOutage, false},
		{"the server is killed at the moment of the ACK", killedAtTheAck, false},
		{"an address in use is declined and left alone", declinedAddress, false},
		{"the view of the token is narrowed while clients are served, and widened again", viewIsNarrowed, true},
		{"all addresses of a prefix are deleted in bulk and made anew", addressesAreMadeAnew, true},
		{"an administrator prepares NetBox and asks why", administratorsDay, false},
		{"contexts say more to the clients of a prefix with their tag, and edits of them do", contextsReachTheClient, false},
		{"a range is a pool, and its leases are shown as the settings say", rangesArePools, false},
	} {
		t.Run(story.name, func(t *testing.T) {
			if !story.alone {
				t.Parallel()
			}
			story.tell(t, l)
		})
	}
}

func newLab(t *testing.T) *lab {
	t.Helper()
	netns.Require(t, "udhcpc", "dhclient", "dhcpcd", "dhcrelay")
	netbox := inventory{integration.RealNetBox(t)}
	var id [3]byte
	if _, err := rand.Read(id[:]); err != nil {
		t.Fatal(err)
	}
	l := &lab{run: hex.EncodeToString(id[:]), netbox: netbox, macBase: id, bin: integration.Program(t)}
	l.limit = netboxtest.LimitByREST(netbox.URL, netbox.Token)
	l.token = filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(l.token, []byte(l.limit(t, false, integration.LeastPrivilege()...)), 0o600); err != nil {
		t.Fatal(err)
	}
	l.seed = netboxtest.Seed(t, netbox.URL, netbox.Token, l.world())
	t.Cleanup(func() { l.seed.Wipe(t) })
	return l
}

// name makes a name of this run.
func (l *lab) name(what string) string { return what + " " + l.run }

// field is the name of a custom field of this run.
func (l *lab) field(what string) string { return what + "_" + l.run }

// mac is hardware address number n of this run.
func (l *lab) mac(n byte) net.HardwareAddr {
	return net.HardwareAddr{0x02, l.macBase[0], l.macBase[1], l.macBase[2], 0, n}
}

// network is the prefix of a story, host an address in it and ip the same as NetBox writes it.
func network(n int) netip.Prefix { return netip.MustParsePrefix(fmt.Sprintf("10.50.%d.0/24", n)) }
func host(n, h int) netip.Addr   { return netip.MustParseAddr(fmt.Sprintf("10.50.%d.%d", n, h)) }
func ip(n, h int) netip.Prefix   { return netip.PrefixFrom(host(n, h), 24) }

// await polls a condition until it is nil or patience has passed, and then fails with what it
// said last.
func await(t *testing.T, patience time.Duration, condition func() error) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := condition()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("after %v: %v", patience, err)
		}
	}
}

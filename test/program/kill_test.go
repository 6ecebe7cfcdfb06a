package program

import (
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/bench/load"
)

// manyAddresses is a pool that fifty rounds of new clients do not use up. The relay of
// the load is in its network.
const manyAddresses = `prefixes:
  - {prefix: 127.64.0.0/10}
ip_addresses:
  - {address: 127.65.0.0-127.65.255.255/10, tags: [DHCP]}
  - {address: 127.66.0.0-127.66.255.255/10, tags: [DHCP]}
`

// TestKillUnderLoad kills the server without warning in the middle of a load of new
// clients, of which 64 are under way at any time, fifty times over one store. No
// acknowledged lease may be lost, and none given to a second client (S-1, S-2, A-3,
// B-16).
func TestKillUnderLoad(t *testing.T) {
	const rounds, most = 50, 2000
	conf, addr := lab(t, manyAddresses)
	settings, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	write(t, conf, strings.Replace(string(settings), "relays: [127.0.0.2, 10.77.0.0/20]", "relays: [127.64.0.2]", 1))
	given := make(map[netip.Addr]uint32)
	var took time.Duration
	for round := range uint32(rounds) {
		result := loadUntilKilled(t, serve(t, conf), addr, 1+round*most, most, time.Duration(30+round)*time.Millisecond)
		for address, client := range result.Given {
			if owner, taken := given[address]; taken && owner != client {
				t.Fatalf("round %d: %s was given to client %d and then to client %d", round, address, owner, client)
			}
			given[address] = client
		}
		took += result.Took
	}
	if len(given) < rounds {
		t.Fatalf("only %d addresses were given in %d rounds", len(given), rounds)
	}
	t.Logf("%d leases, %.0f a second", len(given), float64(len(given))/took.Seconds())
	stored := leases(t, conf)
	for address, client := range given {
		if want := strings.ToUpper(hardware(client)); stored[address] != want {
			t.Errorf("%s was given to %s, and is now of %q", address, want, stored[address])
		}
	}
}

func hardware(client uint32) string {
	mac := load.MAC(client)
	return net.HardwareAddr(mac[:]).String()
}

// loadUntilKilled has new clients ask for leases, and kills the server after a while.
func loadUntilKilled(t *testing.T, server *exec.Cmd, addr string, first uint32, most int, after time.Duration) *load.Result {
	t.Helper()
	relay, err := load.Dial(netip.MustParseAddrPort(addr), netip.MustParseAddrPort("127.64.0.2:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = relay.Close() }()
	relay.Patience = 100 * time.Millisecond // what was sent is here by then
	killed := time.AfterFunc(after, func() { _ = server.Process.Kill() })
	defer killed.Stop()
	anyAddress := func(uint32, netip.Addr) bool { return true }
	result, err := relay.Closed(t.Context(), load.Clients{First: first, Count: most, Right: anyAddress}, 64, most, 2*after)
	if err := errors.Join(err, result.Err()); err != nil {
		t.Fatal(err)
	}
	_ = server.Wait() // says that it was killed
	return result
}

// leases reads what the store holds.
func leases(t *testing.T, conf string) map[netip.Addr]string {
	t.Helper()
	stdout, stderr, code := run(t, "leases", "--conf", conf, "--json")
	if code != 0 {
		t.Fatal(stderr)
	}
	var list []struct {
		Address netip.Addr
		Client  string
	}
	if err := json.Unmarshal([]byte(stdout), &list); err != nil {
		t.Fatal(err)
	}
	clients := make(map[netip.Addr]string)
	for _, l := range list {
		clients[l.Address] = l.Client
	}
	return clients
}

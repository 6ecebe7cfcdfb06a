package program

import (
	"fmt"
	"net"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/relay"
)

// TestKillAtTheMomentOfTheACK kills the server without warning as soon as a
// client hears its ACK, while others are in the middle of theirs, fifty times
// over one store. No acknowledged address may ever go to another client, and
// every client keeps what it was told (S-1, S-2, A-3).
func TestKillAtTheMomentOfTheACK(t *testing.T) {
	const rounds, clients = 50, 8
	conf, addr := lab(t, pool)
	acknowledged := make(map[string]int) // address -> client
	for round := range rounds {
		server := serve(t, conf)
		for _, got := range acquireUntilKilled(t, server, addr, round*clients, clients) {
			if owner, taken := acknowledged[got.address]; taken && owner != got.client {
				t.Fatalf("round %d: %s was acknowledged to client %d and then to client %d", round, got.address, owner, got.client)
			}
			acknowledged[got.address] = got.client
		}
	}
	if len(acknowledged) < rounds {
		t.Fatalf("only %d addresses were acknowledged in %d rounds", len(acknowledged), rounds)
	}
	serve(t, conf)
	a := agent(t, addr)
	for address, client := range acknowledged { // D-8
		reply, err := a.Reclaim(mac(client), net.ParseIP(address).To4())
		if err != nil || reply.MessageType() != dhcpv4.MessageTypeAck {
			t.Errorf("client %d asks for %s again: %v, %v", client, address, reply, err)
		}
	}
}

type acknowledgement struct {
	client  int
	address string
}

// acquireUntilKilled lets new clients get leases at the same time and kills
// the server at the first ACK.
func acquireUntilKilled(t *testing.T, server *exec.Cmd, addr string, first, count int) []acknowledgement {
	t.Helper()
	var (
		mu   sync.Mutex
		all  []acknowledgement
		kill sync.Once
		done sync.WaitGroup
	)
	agents := make([]*relay.Agent, count)
	for i := range agents {
		agents[i] = agent(t, addr)
	}
	for i, a := range agents {
		client := first + i
		done.Go(func() {
			reply, err := a.Acquire(mac(client))
			if err != nil || reply.MessageType() != dhcpv4.MessageTypeAck {
				return // killed in the middle of it
			}
			mu.Lock()
			all = append(all, acknowledgement{client, reply.YourIPAddr.String()})
			mu.Unlock()
			kill.Do(func() {
				_ = server.Process.Kill()
				for _, other := range agents {
					other.GiveUp(100 * time.Millisecond) // what was sent is here; nothing more will come
				}
			})
		})
	}
	done.Wait()
	kill.Do(func() { t.Error(fmt.Errorf("no client of %d to %d got an ACK", first, first+count-1)) })
	_ = server.Wait() // says that it was killed
	return all
}

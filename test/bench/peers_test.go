package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// The lab starts the test binary as stub and as CoreDHCP.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "stub" || os.Args[1] == "coredhcp") {
		main()
		return
	}
	os.Exit(m.Run())
}

// testServer is this project's server as it is now.
func testServer(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "coredhcp-netbox")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/coredhcp-netbox").CombinedOutput(); err != nil {
		t.Fatalf("build the server: %v\n%s", err, out)
	}
	return binary
}

func testLab(t *testing.T, binary string) *lab {
	t.Helper()
	l, err := newLab(binary, 0, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestEveryPeerAnswersWithTheConfigurationMadeForIt(t *testing.T) {
	netns.Require(t)
	l := testLab(t, testServer(t))
	for _, p := range peers() {
		t.Run(p.name, func(t *testing.T) {
			if p.program() != "" {
				netns.Require(t, p.program())
			}
			const size = spare + 200
			err := l.with(t.Context(), &p, setting{cpus: 1, size: size}, func(n *session) error {
				result, err := l.socket.Closed(t.Context(), n.clients, 8, 100, time.Minute)
				if err != nil {
					return err
				}
				if result.Repeated > 0 {
					t.Errorf("%d answers came twice", result.Repeated)
				}
				return n.judge(result)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSyncsAreCountedAndDelayed(t *testing.T) {
	netns.Require(t, "strace")
	l := testLab(t, "")
	p := peers()[slices.IndexFunc(peers(), func(p peer) bool { return p.name == stubGroup })]
	pl := &plan{parts: map[string]bool{partSyncs: true, partSlow: true}, window: 64, time: 300 * time.Millisecond, hosts: 1000}
	var found figures
	if err := l.round(t.Context(), pl, &p, func(f figure) { found = append(found, f) }); err != nil {
		t.Fatal(err)
	}
	if f, ok := found.find(partSyncs, stubGroup); !ok || f.Syncs < 1 || f.Syncs > 200 {
		t.Errorf("syncs of 200 exchanges: %+v", f)
	}
	if f, ok := found.find(partSlow, stubGroup); !ok || f.P50 < 5 {
		t.Errorf("an exchange is done before a sync of 5 ms: %+v", f)
	}
}

func TestServerThatEndsIsAnError(t *testing.T) {
	netns.Require(t)
	l := testLab(t, "")
	broken := peer{name: "broken", command: "sh -c {{.Folder}}/missing"}
	if err := l.with(t.Context(), &broken, setting{cpus: 1, size: 2000}, func(*session) error { return nil }); err == nil {
		t.Error("no error")
	}
}

func TestFilesOfAPeerAreMadeForItsWorld(t *testing.T) {
	for _, p := range peers() {
		w := &world{Binary: "ours", Bench: "bench", Folder: t.TempDir(), Interface: serverSide, Server: listenAt().Addr(), Size: 3, Known: p.known, Wide: p.wide, CPUs: 2}
		command, err := p.prepare(w)
		if err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		if len(command) < 2 || slices.Contains(command, "<no value>") {
			t.Errorf("%s: command %q", p.name, command)
		}
		for _, name := range p.files {
			if _, err := os.Stat(filepath.Join(w.Folder, name)); err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
		}
	}
}

func TestClientsOfAPoolMayHaveAnyOfItsAddresses(t *testing.T) {
	w := &world{Size: spare + 3}
	c := w.clients()
	if c.Count != 3 || c.Known || !c.Right(1, w.First()) || !c.Right(1, w.Last()) || c.Right(1, w.Last().Next()) || c.Right(1, w.First().Prev()) {
		t.Errorf("%+v", c)
	}
	if w.First().String() != "10.77.1.0" {
		t.Errorf("the pool begins at %v", w.First())
	}
	w.Known = true
	if c := w.clients(); !c.Known || c.Count != w.Size || !c.Right(2, clientAddress(2)) || c.Right(2, clientAddress(3)) {
		t.Errorf("%+v", c)
	}
}

func TestStubAnswersAsAServerWould(t *testing.T) {
	for kind, want := range map[dhcpv4.MessageType]dhcpv4.MessageType{
		dhcpv4.MessageTypeDiscover: dhcpv4.MessageTypeOffer, dhcpv4.MessageTypeRequest: dhcpv4.MessageTypeAck,
	} {
		req, err := dhcpv4.New(dhcpv4.WithMessageType(kind), dhcpv4.WithHwAddr([]byte{2, 0, 0, 0, 0, 9}))
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1500)
		size, ack := stubReply(b, copy(b, req.ToBytes()))
		resp, err := dhcpv4.FromBytes(b[:size])
		if err != nil {
			t.Fatal(err)
		}
		if resp.MessageType() != want || ack != (want == dhcpv4.MessageTypeAck) || resp.OpCode != dhcpv4.OpcodeBootReply ||
			!resp.YourIPAddr.Equal(clientAddress(9).AsSlice()) || resp.TransactionID != req.TransactionID {
			t.Errorf("%s", resp.Summary())
		}
	}
	if size, _ := stubReply(make([]byte, 1500), 300); size != 0 {
		t.Error("the stub answers what is no request")
	}
}

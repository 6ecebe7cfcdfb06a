package program

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
)

// mirrorBinary is netbox-dhcp-sync, built once where a test needs it.
var mirrorBinary = sync.OnceValues(func() (string, error) { return build("netbox-dhcp-sync") })

// mirrored is a NetBox and a Windows server, for the program netbox-dhcp-sync.
type mirrored struct {
	*mirrortest.Lab
	t   *testing.T
	dh1 *psutest.Server
}

// newMirrored prepares a NetBox that takes an address twice, and a server with two
// scopes whose leases do not fit into one request.
func newMirrored(t *testing.T) *mirrored {
	t.Helper()
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{DuplicatesLegal: true}), netboxtest.World{})
	m := &mirrored{Lab: l, t: t, dh1: l.Add(psutest.Campus("dh1.corp.example", 2, 80, time.Now()))}
	l.Open("sync_ips_from_dhcp: true\nguards: {confirm_after: 0s, max_delete_count: 1000}\n", nil)
	return m
}

func (m *mirrored) command(args ...string) *exec.Cmd {
	m.t.Helper()
	binary, err := mirrorBinary()
	if err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.Command(binary, append([]string{"--conf", filepath.Join(m.Folder, "config.yml")}, args...)...)
	cmd.Env = []string{"HOME=" + m.Folder}
	return cmd
}

// run runs a command that has to succeed.
func (m *mirrored) run(args ...string) string {
	m.t.Helper()
	out, err := m.command(args...).CombinedOutput()
	if err != nil {
		m.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// killed runs a command and kills it as its n-th request of a kind arrives, of which
// becomes what way says.
func (m *mirrored) killed(n int, method, path string, way mirrortest.Break, args ...string) {
	m.t.Helper()
	cmd := m.command(args...)
	started, dead := make(chan struct{}), make(chan struct{})
	killed, seen := false, 0
	m.Front.Before(func(r mirrortest.Request) mirrortest.Break {
		switch {
		case killed:
			return mirrortest.Lost
		case r.Method != method || r.Path != path:
			return mirrortest.None
		}
		if seen++; seen < n {
			return mirrortest.None
		}
		<-started
		_ = cmd.Process.Kill() // fails if it has ended
		<-dead
		killed = true
		return way
	})
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	close(started)
	_ = cmd.Wait() // says that it was killed
	close(dead)
	if cmd.ProcessState.Exited() {
		m.t.Fatalf("%v ended by itself before request %d of %s %s: %v", args, n, method, path, cmd.ProcessState)
	}
	if way == mirrortest.Late {
		if err := m.Front.AwaitLate(m.t.Context()); err != nil {
			m.t.Fatal(err)
		}
	}
	m.Front.Before(nil)
}

// longAgo lets the time pass that NetBox may work on a request.
func (m *mirrored) longAgo() {
	m.t.Helper()
	path := filepath.Join(m.Folder, "state", "making.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var making map[string]any
	if err := errors.Join(err, json.Unmarshal(data, &making)); err != nil {
		m.t.Fatal(err)
	}
	making["sent"] = time.Now().Add(-time.Hour)
	if data, err = json.Marshal(making); err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// meanwhile carries out what NetBox was still at as the program was killed: while the
// next run waits for it, or as that run is about to write.
func (m *mirrored) meanwhile() {
	asked := make(map[string]int)
	m.Front.Before(func(r mirrortest.Request) mirrortest.Break {
		asked[r.Path+r.Query]++
		if r.Write() || asked[r.Path+r.Query] == 3 {
			m.Front.CarryOut()
		}
		return mirrortest.None
	})
}

// leased is what NetBox has to show of the leases of the server.
func (m *mirrored) leased() []string {
	var want []string
	m.dh1.Edit(func(w *psutest.World) {
		for _, s := range w.Scopes {
			for _, l := range s.Leases {
				want = append(want, fmt.Sprintf("%s/24 dhcp %s %s", l.IP, l.ClientID, strings.ToLower(l.Hostname)))
			}
		}
	})
	slices.Sort(want)
	return want
}

// shown is what NetBox has.
func (m *mirrored) shown() []string {
	m.t.Helper()
	var have []string
	for _, row := range m.Get("ipam/ip-addresses", "") {
		have = append(have, fmt.Sprint(row["address"], " ", mirrortest.Field(row, "status"), " ", mirrortest.Field(row, "custom_fields.dhcp_client_id"), " ", row["dns_name"]))
	}
	slices.Sort(have)
	return have
}

// rename gives every client another name.
func (m *mirrored) rename() {
	m.dh1.Edit(func(w *psutest.World) {
		for _, s := range w.Scopes {
			for _, l := range s.Leases {
				l.Hostname = "new-" + l.Hostname
			}
		}
	})
}

// end ends all leases but the first ten of each scope.
func (m *mirrored) end() {
	m.dh1.Edit(func(w *psutest.World) {
		for _, s := range w.Scopes {
			s.Leases = s.Leases[:10]
		}
	})
}

// rule 3.8 point 24: the program is killed without warning in the middle of a bulk
// write, and runs again at once. Nothing is there twice and nothing is lost.
func TestTheMirrorIsKilledInTheMiddleOfABulkWrite(t *testing.T) {
	const addresses = "ipam/ip-addresses/"
	for _, c := range []struct {
		name         string
		prepare      func(*mirrored)
		command      string
		method, path string
		bodies       int
	}{
		{"prefixes", func(*mirrored) {}, "import", http.MethodPost, "ipam/prefixes/", 1},
		{"ranges", func(*mirrored) {}, "import", http.MethodPost, "ipam/ip-ranges/", 1},
		{"new addresses", func(m *mirrored) { m.run("import") }, "sync", http.MethodPost, addresses, 2},
		{"changed addresses", func(m *mirrored) { m.run("import"); m.run("sync"); m.rename() }, "sync", http.MethodPatch, addresses, 2},
		{"ended leases", func(m *mirrored) { m.run("import"); m.run("sync"); m.end() }, "sync", http.MethodDelete, addresses, 2},
	} {
		for n := 1; n <= c.bodies; n++ {
			for _, end := range []struct {
				name  string
				way   mirrortest.Break
				after func(*mirrored)
			}{
				{"before it arrives", mirrortest.Lost, (*mirrored).longAgo},
				{"before the answer", mirrortest.Late, func(m *mirrored) { m.Front.CarryOut() }},
				{"while NetBox works on it", mirrortest.Late, (*mirrored).meanwhile},
			} {
				t.Run(fmt.Sprintf("%s, body %d, %s", c.name, n, end.name), func(t *testing.T) {
					t.Parallel()
					m := newMirrored(t)
					c.prepare(m)
					m.killed(n, c.method, c.path, end.way, c.command)
					end.after(m)
					m.run(c.command)
					m.Front.Before(nil)
					m.Front.CarryOut() // if the run had nothing to do with it
					m.run("import")
					m.run("sync")
					m.converged()
				})
			}
		}
	}
}

// converged checks that NetBox shows each lease once, and that a further run writes
// nothing.
func (m *mirrored) converged() {
	m.t.Helper()
	if diff := cmp.Diff(m.leased(), m.shown()); diff != "" {
		m.t.Errorf("addresses (-want +got):\n%s", diff)
	}
	for _, path := range []string{"ipam/prefixes", "ipam/ip-ranges"} {
		if n := len(m.Get(path, "")); n != 2 {
			m.t.Errorf("%d %s for two scopes", n, path)
		}
	}
	m.Front.Forget()
	if out := m.run("sync"); len(m.Front.Writes()) > 0 {
		m.t.Errorf("a further run writes: %s", out)
	}
}

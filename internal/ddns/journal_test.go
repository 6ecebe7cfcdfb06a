package ddns

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/miekg/dns"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

func registryOf(t *testing.T, path string) *registry {
	t.Helper()
	p := policyOf(t, nil)
	r := newRegistry(p.zones)
	if err := r.open(path, time.Time{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.close() })
	return r
}

// wants is a binding with a record of the zone corp.example.
func (r *registry) wants(t *testing.T, client lease.ClientID, addr, host string) {
	t.Helper()
	id, err := DHCID(client, "", false, host+".corp.example.")
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddr(addr)
	c := Client{Addr: at, Client: client, Time: time.Hour}
	r.want(bindingOf(c, Plan{Name: host}, time.Unix(0, 0)), &Record{Zone: "corp.example.", Owner: host + ".corp.example.", Addr: at, DHCID: id, TTL: 600}, nil)
}

// DNS-12: what was written is read again, whatever a crash left at the end of the file.
func TestAFileIsReadWhereverACrashCutItOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names.jsonl")
	r := registryOf(t, path)
	for i := range 3 {
		r.wants(t, pc, fmt.Sprintf("10.0.0.%d", i), fmt.Sprintf("host%d", i))
		if err := r.flush(); err != nil {
			t.Fatal(err)
		}
	}
	r.end(netip.MustParseAddr("10.0.0.1"), pc) // was never sent: nothing is left to know
	if err := r.flush(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) + 1 {
		bindings, damaged, err := parse(whole[:n])
		if n > len(heading) && (err != nil || damaged > 0) {
			t.Fatalf("cut at %d: %d damaged, %v", n, damaged, err)
		}
		if lines := bytes.Count(whole[:n], []byte("\n")); n > len(heading) && len(bindings) < min(lines-1, 2) {
			t.Fatalf("cut at %d: %d bindings of %d lines", n, len(bindings), lines)
		}
	}
	again := registryOf(t, path)
	if diff := cmp.Diff(r.list(), again.list(), cmpopts.IgnoreUnexported(Record{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// DNS-12: the file does not grow without end, and another version's is left alone.
func TestAFileIsWrittenAnewWhenMostOfItIsOld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names.jsonl")
	r := registryOf(t, path)
	for i := range 2 * slack {
		r.wants(t, pc, "10.0.0.1", fmt.Sprintf("host%d", i%2))
		if err := r.flush(); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil || bytes.Count(text, []byte("\n")) > slack+10 {
		t.Errorf("%d lines, %v", bytes.Count(text, []byte("\n")), err)
	}
	if _, _, err := parse([]byte(`{"names_in_dns":2}` + "\n")); err == nil {
		t.Error("a file of another version was read")
	}
}

// DNS-12: what is damaged in the middle costs its own line.
func TestADamagedLineCostsItself(t *testing.T) {
	text := heading + "\n" + `{"address":"10.0.0.1","client":"A","no_update":true}` + "\nrubbish\n" + `{"address":"10.0.0.2","client":"A","no_update":true}` + "\n"
	bindings, damaged, err := parse([]byte(text))
	if len(bindings) != 2 || damaged != 1 || err != nil {
		t.Errorf("%v, %d, %v", bindings, damaged, err)
	}
}

// DNS-12: nothing is sent that is not on disk, and work goes on once the disk is well.
func TestAFullDiskSendsNothing(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "gone")
	r := registryOf(t, filepath.Join(folder, "names.jsonl"))
	r.wants(t, pc, "10.0.0.1", "pc")
	if err := r.flush(); err == nil {
		t.Fatal("a folder that is not there was written to")
	}
	if _, failed := r.trouble(); failed == nil {
		t.Error("the trouble is not told")
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := r.flush(); err != nil {
		t.Fatal(err)
	}
	if bindings, _, err := ReadFile(r.journal.path); len(bindings) != 1 || err != nil {
		t.Errorf("%v %v", bindings, err)
	}
}

// DNS-14: a client whose names change faster than DNS takes them keeps one.
func TestNamesThatChangeWithoutEndAreBounded(t *testing.T) {
	r := registryOf(t, filepath.Join(t.TempDir(), "names.jsonl"))
	for i := range 100 {
		r.wants(t, pc, "10.0.0.1", fmt.Sprintf("host%d", i))
		r.take("corp.example.", 1, time.Time{}) // sent, and no answer
		if b := r.bindings[netip.MustParseAddr("10.0.0.1")]; len(b.Old) > maxOld {
			t.Fatalf("%d old names", len(b.Old))
		}
		r.lineUp(r.bindings[netip.MustParseAddr("10.0.0.1")])
	}
}

func FuzzParse(f *testing.F) {
	r := newRegistry(policyOf(f, nil).zones)
	id, _ := DHCID(pc, "", false, "pc.corp.example.")
	record := Record{Zone: "corp.example.", Owner: "pc.corp.example.", Addr: netip.MustParseAddr("10.0.0.1"), DHCID: id, State: Sent}
	r.bindings[record.Addr] = &Binding{Addr: record.Addr, Client: pc, Forward: &record, Old: []*Record{&record}}
	f.Add(append([]byte(heading+"\n"), encode(r.lines(map[netip.Addr]bool{record.Addr: true}))...))
	f.Add([]byte(heading + "\n" + `{"address":"10.0.0.1","gone":true}` + "\n"))
	f.Add([]byte(strings.Repeat("{", 99)))
	f.Fuzz(func(t *testing.T, text []byte) {
		bindings, _, err := parse(text)
		if err != nil {
			return
		}
		for _, b := range bindings {
			b.each(func(r *Record, _ bool) {
				m := (sender{zone: &zone{name: r.Zone}}).update()
				m.Used([]dns.RR{r.id()})
				m.Insert([]dns.RR{r.data()})
				if _, err := m.Pack(); err != nil {
					t.Errorf("%+v cannot be sent: %v", r, err)
				}
			})
		}
	})
}

// C-2: root may clean up what the server's own user keeps.
func TestAFileKeepsItsOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	path := filepath.Join(t.TempDir(), "names.jsonl")
	if err := os.WriteFile(path, []byte(heading+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 4711, 4712); err != nil {
		t.Fatal(err)
	}
	r := registryOf(t, path)
	r.wants(t, pc, "10.0.0.1", "pc")
	if err := r.flush(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || owner.Uid != 4711 || owner.Gid != 4712 || info.Mode().Perm() != 0o600 {
		t.Errorf("%+v %v", info.Sys(), info.Mode())
	}
}

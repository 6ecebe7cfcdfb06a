package backup

import (
	"bytes"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

var update = flag.Bool("update", false, "write the fixture of this version")

var compareAddrs = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// sample has a value in every field, and names that are no UTF-8.
func sample() File {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	return File{
		Header: Header{Taken: at, Program: "v1.2.3", Machine: "dhcp1", Store: "/var/lib/coredhcp-netbox", NetBox: "https://netbox.example.org", Inventory: "inventory.yml"},
		Leases: []lease.Lease{
			{Addr: netip.MustParseAddr("10.0.0.5"), Client: "52:54:00:AA:BB:CC", State: lease.Bound, Hostname: "printer <1>", Expires: at.Add(time.Hour),
				SyncedAt: at.Add(123456 * time.Microsecond), Unsynced: true, ToldClient: "52:54:00:AA:BB:DD", ToldExpires: at},
			{Addr: netip.MustParseAddr("10.0.0.7"), Client: "id/00:63:2D:61", Hardware: "52:54:00:AA:BB:CC", State: lease.Released, Hostname: "\x00\xff", Expires: at},
			{Addr: netip.MustParseAddr("10.0.0.9"), Client: "00:00:00:00:00:00", State: lease.Quarantined, Expires: at, InterfaceKind: 1, InterfaceID: 300, ByPort: true},
			{Addr: netip.MustParseAddr("2001:db8::1"), Client: "52:54:00:AA:BB:CC", State: lease.Bound, Expires: at},
		},
		Notes: map[string][]byte{"clock": []byte(`{"left":5}`), "heard/0a": {0, 1, 0xff}},
	}
}

func written(t testing.TB, f File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, f); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestABackupIsReadAsItWasWritten(t *testing.T) {
	for name, want := range map[string]File{
		"with all there is":     sample(),
		"of an empty store":     {Header: Header{Taken: sample().Taken}, Notes: map[string][]byte{}},
		"with the longest note": {Header: Header{Taken: sample().Taken}, Notes: map[string][]byte{strings.Repeat("n", lease.MaxNoteName): bytes.Repeat([]byte{0xff}, lease.MaxNoteValue)}},
	} {
		got, err := Read(bytes.NewReader(written(t, want)))
		if diff := cmp.Diff(want, got, compareAddrs); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// fixtures are the backups of each version, from the first on: none is ever removed.
const fixture = "testdata/backup-%d.jsonl"

// C-35: a backup of each version is read with what was in it.
func TestBackupsOfAllVersionsAreRead(t *testing.T) {
	for v := 1; v <= version; v++ {
		data, err := os.ReadFile(fmt.Sprintf(fixture, v))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Read(bytes.NewReader(data))
		if diff := cmp.Diff(sample(), got, compareAddrs); err != nil || diff != "" {
			t.Errorf("version %d: %v (-want +got):\n%s", v, err, diff)
		}
	}
}

// C-35: whoever changes the format has to add a fixture.
func TestTheNewestFixtureIsWhatIsWrittenNow(t *testing.T) {
	path, now := fmt.Sprintf(fixture, version), written(t, sample())
	if *update {
		if _, err := os.Stat(path); err == nil {
			t.Fatalf("%s is there: raise the version, since files of this one are out there", path)
		}
		if err := os.WriteFile(path, now, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := os.ReadFile(path); err != nil || !bytes.Equal(kept, now) {
		t.Errorf("%v: backups are not written as %s has them any more: raise version, and add a fixture (CONTRIBUTING.md)\n%s", err, path, now)
	}
}

// C-30: no damage goes unnoticed.
func TestADamagedBackupIsNotRead(t *testing.T) {
	whole := written(t, sample())
	for at := range whole {
		flipped := bytes.Clone(whole)
		flipped[at] ^= 1
		if got, err := Read(bytes.NewReader(flipped)); err == nil && !cmp.Equal(got, sample(), compareAddrs) {
			t.Errorf("byte %d (%q) flipped: read", at, whole[at])
		}
		if _, err := Read(bytes.NewReader(whole[:at])); err == nil {
			t.Errorf("cut after %d bytes: read", at)
		}
	}
}

func TestWhatIsWrongWithABackupIsSaid(t *testing.T) {
	whole := string(written(t, sample()))
	lines := strings.SplitAfter(whole, "\n")
	for name, c := range map[string]struct{ text, want string }{
		"nothing":              {"", "no backup of leases"},
		"another file":         {"server4:\n", "line 1: this is no backup of leases"},
		"another JSON file":    {"{\"format\":\"else\"}\n", "this is no backup of leases"},
		"a newer version":      {strings.Replace(whole, `"version":1`, `"version":2`, 1), "line 1: the backup has version 2, written by a newer version"},
		"cut between lines":    {strings.Join(lines[:3], ""), "line 3: the backup ends here"},
		"cut within a line":    {whole[:len(lines[0])+20], "line 2: the backup ends here"},
		"an edited lease":      {strings.Replace(whole, "10.0.0.7", "10.0.0.8", 1), "line 8: the checksum is wrong"},
		"a lease twice":        {lines[0] + lines[1] + lines[1], "line 3: 10.0.0.5 has a lease before"},
		"a missing lease":      {lines[0] + strings.Join(lines[2:], ""), "line 7: the backup should have 4 leases"},
		"a lease without home": {lines[0] + "{\"lease\":\"\",\"client\":\"a\",\"state\":\"bound\"}\n", "line 2: "},
		"an unknown state":     {lines[0] + "{\"lease\":\"10.0.0.1\",\"client\":\"a\",\"state\":\"free\"}\n", `state "free"`},
		"an unknown field":     {lines[0] + "{\"lease\":\"10.0.0.1\",\"client\":\"a\",\"state\":\"bound\",\"colour\":1}\n", "colour"},
		"an unknown line":      {lines[0] + "{\"colour\":1}\n", "line 2: it is neither"},
		"a second backup":      {whole + whole, "line 9: something follows the end"},
		"a very long line":     {lines[0] + strings.Repeat("x", maxLine+1), "line 2: it is longer than"},
	} {
		if _, err := Read(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestALeaseThatCannotBeWrittenIsNamed(t *testing.T) {
	for name, l := range map[string]lease.Lease{
		"an unknown state": {Addr: netip.MustParseAddr("10.0.0.5"), State: 255},
		"a year too far":   {Addr: netip.MustParseAddr("10.0.0.5"), State: lease.Bound, Expires: time.Unix(1<<40, 0)},
	} {
		if err := Write(new(bytes.Buffer), File{Header: Header{Taken: time.Now()}, Leases: []lease.Lease{l}}); err == nil || !strings.Contains(err.Error(), "10.0.0.5") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(written(f, sample()))
	f.Add([]byte("{\"format\":\"coredhcp-netbox lease backup\",\"version\":1}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		again, err := Read(bytes.NewReader(written(t, got)))
		got.Taken = got.Taken.UTC().Truncate(time.Second)
		if err != nil || !cmp.Equal(got, again, compareAddrs) {
			t.Errorf("%v:\n%s", err, cmp.Diff(got, again, compareAddrs))
		}
	})
}

package instance

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

var update = flag.Bool("update", false, "write the fixture of this version")

// sampleCopy has a value in every field.
func sampleCopy() lease.Kept {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	return lease.Kept{
		Marks: []lease.Mark{{VRF: 1, Host: netip.MustParseAddr("10.0.0.5"), Kind: ipam.VirtualMachine, ID: 7}},
		Leases: []lease.Lease{{
			Addr: netip.MustParseAddr("10.0.0.105"), Client: "id/00:63:2D:61", Hardware: "52:54:00:AA:BB:CC", State: lease.Bound, Expires: at, Hostname: "printer",
			InterfaceKind: 1, InterfaceID: 300, ByPort: true, Unsynced: true, SyncedAt: at.Add(123456 * time.Microsecond), ToldClient: "52:54:00:AA:BB:DD", ToldExpires: at,
		}},
	}
}

func fixtureOfCopy(format int) string { return fmt.Sprintf("testdata/copy-%d.json", format) }

var compareAddrs = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// C-35: a second copy of each format is read with what was in it.
func TestCopiesOfAllFormatsAreRead(t *testing.T) {
	for format := 0; format <= copyFormat; format++ {
		kept, text, err := readCopy(fixtureOfCopy(format))
		if diff := cmp.Diff(sampleCopy(), kept, compareAddrs); err != nil || len(text) == 0 || diff != "" {
			t.Errorf("format %d: %v (-want +got):\n%s", format, err, diff)
		}
	}
}

// C-35: whoever changes the format has to add a fixture.
func TestTheNewestFixtureOfACopyIsWhatIsWrittenNow(t *testing.T) {
	now, err := encodeCopy(sampleCopy())
	if err != nil {
		t.Fatal(err)
	}
	path := fixtureOfCopy(copyFormat)
	if *update {
		if _, err := os.Stat(path); err == nil {
			t.Fatalf("%s is there: raise copyFormat, since copies of this one are out there", path)
		}
		must(t, os.WriteFile(path, now, 0o600))
	}
	if was, err := os.ReadFile(path); err != nil || !bytes.Equal(was, now) {
		t.Errorf("%v: copies are not written as %s has them any more: raise copyFormat, and add a fixture (CONTRIBUTING.md)\n%s", err, path, now)
	}
}

// C-35: a copy that a newer version wrote is neither read nor replaced.
func TestACopyOfANewerVersionIsNotChanged(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "leases.json")
	newer := []byte(`{"Format":2,"Leases":{"shape":"unheard of"}}`)
	must(t, os.WriteFile(path, newer, 0o600))
	log, hook := test.NewNullLogger()
	i := &Instance{Settings: settings.NetBox{Store: settings.Store{Copy: folder}}, Log: log, pool: new(Pool)}
	known := make(chan struct{})
	i.keepCopy(t.Context(), known) // comes back at once
	<-known
	if text, err := os.ReadFile(path); err != nil || !bytes.Equal(text, newer) || i.secondSnapshot() != "" {
		t.Errorf("the copy is %s, %v", text, err)
	}
	said := false
	for _, e := range hook.AllEntries() {
		err, _ := e.Data["error"].(error)
		said = said || errors.Is(err, errNewerCopy)
	}
	if !said {
		t.Error("the log does not say why there is no copy")
	}
}

package ipam

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the fixture of this version")

// newestFixture is the copy in testdata that has the version of diskHeader.
func newestFixture() string {
	version := strings.TrimSpace(strings.TrimPrefix(diskHeader, "coredhcp-netbox tables "))
	return filepath.Join("testdata", "tables-"+version+".snapshot")
}

// C-35: whoever changes what is in a copy of NetBox has to raise its version and to add
// a fixture. Two copies of the same tables have different bytes, so what they say is
// compared; the sample has a value in every field.
func TestTheNewestFixtureIsWhatIsWrittenNow(t *testing.T) {
	path := newestFixture()
	if *update {
		if _, err := os.Stat(path); err == nil {
			t.Fatalf("%s is there: raise the version in diskHeader, since copies of this one are out there", path)
		}
		if err := os.WriteFile(path, encodeDisk(t, sampleDisk()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := ReadDiskFile(path)
	if diff := cmp.Diff(sampleDisk(), kept, compareAddrs); err != nil || diff != "" {
		t.Errorf("%v: copies are not written as %s has them any more: raise the version in diskHeader, and add a fixture (CONTRIBUTING.md) (-now +kept):\n%s", err, path, diff)
	}
}

// C-35: each version that is read has its fixture.
func TestEachVersionOfACopyHasAFixture(t *testing.T) {
	for version := 2; ; version++ {
		path := fmt.Sprintf("testdata/tables-%d.snapshot", version)
		if _, err := ReadDiskFile(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if path == newestFixture() || t.Failed() {
			return
		}
	}
}

// C-35: what a newer version wrote is not taken for a copy, and stays as it is.
func TestACopyOfANewerVersionIsNotRead(t *testing.T) {
	text := bytes.Replace(encodeDisk(t, sampleDisk()), []byte(diskHeader), []byte("coredhcp-netbox tables 9\n"), 1)
	body := text[:len(text)-sha256.Size]
	sum := sha256.Sum256(body)
	whole := append(bytes.Clone(body), sum[:]...)
	path := filepath.Join(t.TempDir(), "netbox.snapshot")
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadDiskFile(path); !errors.Is(err, ErrDiskFormat) {
		t.Errorf("%v, want ErrDiskFormat", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, whole) {
		t.Errorf("the file changed, %v", err)
	}
}

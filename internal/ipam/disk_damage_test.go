package ipam

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestDamagedDiskCopyIsAnError(t *testing.T) {
	whole := encodeDisk(t, sampleDisk())
	for at := range whole {
		flipped := slices.Clone(whole)
		flipped[at] ^= 0x10
		if _, err := DecodeDisk(bytes.NewReader(flipped)); !errors.Is(err, ErrDiskFormat) {
			t.Errorf("byte %d flipped: %v, want ErrDiskFormat", at, err)
		}
		if _, err := DecodeDisk(bytes.NewReader(whole[:at])); !errors.Is(err, ErrDiskFormat) {
			t.Errorf("cut after %d bytes: %v, want ErrDiskFormat", at, err)
		}
		without := slices.Delete(slices.Clone(whole), at, at+1)
		if _, err := DecodeDisk(bytes.NewReader(without)); !errors.Is(err, ErrDiskFormat) {
			t.Errorf("byte %d missing: %v, want ErrDiskFormat", at, err)
		}
	}
	if _, err := DecodeDisk(bytes.NewReader(append(slices.Clone(whole), 0))); !errors.Is(err, ErrDiskFormat) {
		t.Errorf("one byte too many: %v, want ErrDiskFormat", err)
	}
}

func TestDiskCopyErrorsComeFromTheStream(t *testing.T) {
	broken := errors.New("broken")
	if _, err := DecodeDisk(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("read: %v", err)
	}
	whole := encodeDisk(t, sampleDisk())
	for room := range len(whole) {
		if err := EncodeDisk(&limitedWriter{room, broken}, sampleDisk()); !errors.Is(err, broken) {
			t.Fatalf("room for %d of %d bytes: %v", room, len(whole), err)
		}
	}
	if err := EncodeDisk(io.Discard, Disk{}); err == nil {
		t.Error("a copy without objects was written")
	}
}

// limitedWriter fails once room is used up.
type limitedWriter struct {
	room int
	err  error
}

func (w *limitedWriter) Write(b []byte) (int, error) {
	if len(b) > w.room {
		return w.room, w.err
	}
	w.room -= len(b)
	return len(b), nil
}

func TestDiskFileIsReplacedWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "netbox.tables")
	if _, err := ReadDiskFile(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v, want ErrNotExist", err)
	}
	// A crash left half a copy aside.
	if err := os.WriteFile(path+".new", bytes.Repeat([]byte("x"), 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	first, second := sampleDisk(), sampleDisk()
	second.Key = "other"
	for _, d := range []Disk{first, second} {
		if err := WriteDiskFile(path, d); err != nil {
			t.Fatal(err)
		}
		got, err := ReadDiskFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(d, got, compareAddrs); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	// A copy that cannot be encoded leaves the last one alone.
	if err := WriteDiskFile(path, Disk{}); err == nil {
		t.Error("a copy without objects was written")
	}
	if got, err := ReadDiskFile(path); err != nil || got.Key != "other" {
		t.Errorf("after a failed write: key %q, %v", got.Key, err)
	}
	left, err := filepath.Glob(path + "*")
	if err != nil || !slices.Equal(left, []string{path}) {
		t.Errorf("folder holds %v, %v", left, err)
	}
	if err := WriteDiskFile(filepath.Join(t.TempDir(), "none", "copy"), first); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("folder is missing: %v, want ErrNotExist", err)
	}
}

func FuzzDecodeDisk(f *testing.F) {
	whole := encodeDisk(f, sampleDisk())
	f.Add([]byte{}, 0, byte(0))
	f.Add(whole, len(whole)/2, byte(1))
	f.Fuzz(func(t *testing.T, data []byte, at int, mask byte) {
		// Anything but a whole copy is refused; a whole one, which the fuzzer
		// can only repeat, comes back as it is.
		if d, err := DecodeDisk(bytes.NewReader(data)); err == nil {
			again, err := DecodeDisk(bytes.NewReader(encodeDisk(t, d)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(d, again, compareAddrs); diff != "" {
				t.Errorf("(-decoded +again):\n%s", diff)
			}
		}
		if mask == 0 {
			return
		}
		flipped := slices.Clone(whole)
		flipped[uint(at)%uint(len(flipped))] ^= mask
		if _, err := DecodeDisk(bytes.NewReader(flipped)); !errors.Is(err, ErrDiskFormat) {
			t.Errorf("byte %d changed by %#x: %v", at, mask, err)
		}
	})
}

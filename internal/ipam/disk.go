package ipam

import (
	"bytes"
	"crypto/sha256"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Disk is the copy of the tables that a server starts from while NetBox cannot
// be reached (H-1).
type Disk struct {
	URL string // of the NetBox the tables came from
	// Key is a fingerprint of the options that shaped the tables (field names,
	// context key). A copy with another URL or Key must not be used.
	Key   string
	Taken time.Time
	Marks map[string]time.Time // how far each table was followed
	// Objects is never nil after decoding.
	Objects *Objects
	// Lost are the rows that NetBox no longer showed, Held those whose changes
	// were doubted, as they were before (T-1, T-4).
	Lost, Held Kept
	Followed   map[string]Followed // what the names of the settings led to
}

// Kept are rows that serve beside those that NetBox shows.
type Kept struct {
	Rows  *Objects // nil: none
	Marks []KeptMark
}

// KeptMark says since when and for how long one row is kept.
type KeptMark struct {
	Table string // list in NetBox's API
	ID    int64
	Since time.Time // when it was missed first, by our clock
	Seen  time.Time // when NetBox showed it last, by NetBox's clock
	Until time.Time // when it stops serving; zero: not by itself
}

// A disk copy is the header, the compressed gob of a Disk, and the SHA-256 of
// both. The header changes with every change of any type below Disk. Copies of
// the versions before are read as well, since a server must be able to start
// after an upgrade while NetBox cannot be reached (H-1).
const (
	diskHeader        = "coredhcp-netbox tables 7\n"
	diskHeaderNoNames = "coredhcp-netbox tables 6\n" // without the DNS names of addresses
	diskHeaderNoEnds  = "coredhcp-netbox tables 5\n" // without the far ends of cables, too
	diskHeaderNoTags  = "coredhcp-netbox tables 4\n" // without the tags of prefixes and of contexts, what makes ranges pools, reservations and serial numbers, too
	diskHeaderBefore  = "coredhcp-netbox tables 3\n" // without lost rows, too
	diskHeaderNoLinks = "coredhcp-netbox tables 2\n" // without bridges, parents and interfaces without MACs, too
)

// ErrDiskFormat says that a stream is no disk copy, one of another version, or
// damaged.
var ErrDiskFormat = errors.New("not an intact copy of this version")

// EncodeDisk writes d to w, which it does not buffer. It fails on nil Objects.
func EncodeDisk(w io.Writer, d Disk) error {
	if d.Objects == nil {
		return errors.New("encode disk copy: no objects")
	}
	sum := sha256.New()
	both := io.MultiWriter(w, sum)
	if _, err := io.WriteString(both, diskHeader); err != nil {
		return fmt.Errorf("encode disk copy: %w", err)
	}
	packer, err := zstd.NewWriter(both, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return fmt.Errorf("encode disk copy: %w", err)
	}
	if err := errors.Join(gob.NewEncoder(packer).Encode(d), packer.Close()); err != nil {
		return fmt.Errorf("encode disk copy: %w", err)
	}
	if _, err := w.Write(sum.Sum(nil)); err != nil {
		return fmt.Errorf("encode disk copy: %w", err)
	}
	return nil
}

// DecodeDisk reads what EncodeDisk wrote, up to the end of r. Nothing is
// decoded before the checksum has been verified: a copy with a flipped, missing
// or added byte is ErrDiskFormat.
func DecodeDisk(r io.Reader) (Disk, error) {
	all, err := io.ReadAll(r)
	if err != nil {
		return Disk{}, fmt.Errorf("read disk copy: %w", err)
	}
	begins := func(headers ...string) bool {
		return slices.ContainsFunc(headers, func(h string) bool { return bytes.HasPrefix(all, []byte(h)) })
	}
	known := begins(diskHeader, diskHeaderNoNames, diskHeaderNoEnds, diskHeaderNoTags, diskHeaderBefore, diskHeaderNoLinks)
	if len(all) < len(diskHeader)+sha256.Size || !known {
		return Disk{}, fmt.Errorf("decode disk copy: %w", ErrDiskFormat)
	}
	end := len(all) - sha256.Size
	if sum := sha256.Sum256(all[:end]); !bytes.Equal(sum[:], all[end:]) {
		return Disk{}, fmt.Errorf("decode disk copy: checksum: %w", ErrDiskFormat)
	}
	unpacker, err := zstd.NewReader(bytes.NewReader(all[len(diskHeader):end]), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return Disk{}, fmt.Errorf("decode disk copy: %w", err)
	}
	defer unpacker.Close()
	var d Disk
	if err := gob.NewDecoder(unpacker).Decode(&d); err != nil {
		return Disk{}, fmt.Errorf("decode disk copy: %w: %w", ErrDiskFormat, err)
	}
	if d.Objects == nil {
		return Disk{}, fmt.Errorf("decode disk copy: no objects: %w", ErrDiskFormat)
	}
	d.Objects.NoLinks = d.Objects.NoLinks || begins(diskHeaderNoLinks)
	d.Objects.NoPools = d.Objects.NoPools || begins(diskHeaderNoTags, diskHeaderBefore, diskHeaderNoLinks)
	d.Objects.share()
	return d, nil
}

// share gives one copy of what many objects have: the rendered context of the machines
// of a site most of all.
func (o *Objects) share() {
	var same Sharer
	for _, a := range o.Addresses {
		a.Status, a.Role, a.Tags = same.Text(a.Status), same.Text(a.Role), same.IDs(a.Tags)
	}
	for _, port := range o.Interfaces {
		port.Name = same.Text(port.Name)
	}
	known := make(map[string]json.RawMessage)
	for _, m := range o.Machines {
		if first, ok := known[string(m.Context)]; ok {
			m.Context = first
			continue
		}
		known[string(m.Context)] = m.Context
	}
}

// WriteDiskFile replaces the copy at path; one caller at a time. Whenever the
// machine stops, the old or the new copy is there, whole.
func WriteDiskFile(path string, d Disk) error {
	aside := path + ".new"
	f, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // G304: the path is the caller's setting
	if err != nil {
		return fmt.Errorf("write disk copy: %w", err)
	}
	err = EncodeDisk(f, d)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(aside, path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write disk copy %s: %w", path, err), os.Remove(aside))
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a rename inside a folder durable.
func syncFolder(path string) error {
	folder, err := os.Open(path) //nolint:gosec // G304: the folder of the settings
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
		return fmt.Errorf("sync folder %s: %w", path, err)
	}
	return nil
}

// ReadDiskFile reads the copy at path. The error wraps fs.ErrNotExist where
// there is none, ErrDiskFormat where it cannot be used.
func ReadDiskFile(path string) (Disk, error) {
	f, err := os.Open(path) //nolint:gosec // G304: the path of the settings
	if err != nil {
		return Disk{}, fmt.Errorf("read disk copy: %w", err)
	}
	d, err := DecodeDisk(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return Disk{}, fmt.Errorf("read disk copy %s: %w", path, err)
	}
	return d, nil
}

// Package backup reads and writes backup files of a lease store: JSON lines that begin
// with a header and end with counts and a checksum. It must not know where a store
// is, nor what its leases mean.
package backup

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"net/netip"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// A backup file is text with one JSON object a line: the header, the leases in order
// of their addresses, the notes of the store by name, and the end. The version in the
// header changes with every change of any line.
const (
	format  = "coredhcp-netbox lease backup"
	version = 1
	// maxLine is how long a line may be, in bytes: the longest is a note, in base64.
	maxLine = 2 * lease.MaxNoteValue
)

// Header is the first line: what the backup is of, as far as that is known.
type Header struct {
	Taken     time.Time `json:"taken"`
	Program   string    `json:"program,omitempty"` // version of the program that wrote it
	Machine   string    `json:"machine,omitempty"` // host name
	Store     string    `json:"store,omitempty"`   // folder, store.path
	NetBox    string    `json:"netbox,omitempty"`  // URL
	Inventory string    `json:"inventory,omitempty"`
}

type headerLine struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Header
}

// leaseLine is a lease; fields that say nothing are left out.
type leaseLine struct {
	Lease       netip.Addr `json:"lease"`
	Client      text       `json:"client"`
	Hardware    text       `json:"hardware,omitzero"`
	State       string     `json:"state"`
	Expires     time.Time  `json:"expires,omitzero"`
	Hostname    text       `json:"hostname,omitzero"`
	Interface   *netboxID  `json:"interface,omitempty"`
	Unsynced    bool       `json:"unsynced,omitempty"` // NetBox was not told yet
	SyncedAt    time.Time  `json:"synced_at,omitzero"`
	ToldClient  text       `json:"told_client,omitzero"`
	ToldExpires time.Time  `json:"told_expires,omitzero"`
}

type netboxID struct {
	Kind   uint8 `json:"kind"`
	ID     int64 `json:"id"`
	ByPort bool  `json:"by_port,omitempty"`
}

type noteLine struct {
	Note  string `json:"note"`
	Value []byte `json:"value"` // in base64
}

type endLine struct {
	End    string `json:"end"` // format, again
	Leases int    `json:"leases"`
	Notes  int    `json:"notes"`
	SHA256 string `json:"sha256"` // of all lines before this one, in hex
}

// text is a JSON string, or {"hex": "..."} where it is no UTF-8, which JSON cannot
// hold: names come from clients.
type text string

type hexText struct {
	Hex string `json:"hex"`
}

// MarshalJSON implements json.Marshaler.
func (t text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return json.Marshal(string(t))
	}
	return json.Marshal(hexText{hex.EncodeToString([]byte(t))})
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(data []byte) error {
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return json.Unmarshal(data, (*string)(t))
	}
	var digits hexText
	if err := strictly(data, &digits); err != nil {
		return err
	}
	raw, err := hex.DecodeString(digits.Hex)
	*t = text(raw)
	return err
}

// stateOf is the state that a word in a file names.
func stateOf(word string) (lease.State, bool) {
	for _, s := range []lease.State{lease.Bound, lease.Released, lease.Quarantined, lease.Withdrawn} {
		if s.String() == word {
			return s, true
		}
	}
	return 0, false
}

// Writer writes a backup: Lease and Note for each, then Close.
type Writer struct {
	to            io.Writer
	sum           hash.Hash
	leases, notes int
}

// NewWriter begins a backup. What it writes comes in small pieces.
func NewWriter(to io.Writer, h Header) (*Writer, error) {
	w := &Writer{to: to, sum: sha256.New()}
	h.Taken = h.Taken.UTC().Truncate(time.Second)
	return w, w.line(headerLine{format, version, h})
}

func (w *Writer) line(v any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	w.sum.Write(b.Bytes())
	_, err := w.to.Write(b.Bytes())
	return err
}

// Lease writes one lease.
func (w *Writer) Lease(l lease.Lease) error {
	if _, ok := stateOf(l.State.String()); !ok {
		return fmt.Errorf("lease of %s: its state is %d, which this version does not know", l.Addr, l.State)
	}
	line := leaseLine{
		Lease: l.Addr, Client: text(l.Client), Hardware: text(l.Hardware), State: l.State.String(), Expires: l.Expires, Hostname: text(l.Hostname),
		Unsynced: l.Unsynced, SyncedAt: l.SyncedAt, ToldClient: text(l.ToldClient), ToldExpires: l.ToldExpires,
	}
	if id := (netboxID{l.InterfaceKind, l.InterfaceID, l.ByPort}); id != (netboxID{}) {
		line.Interface = &id
	}
	if err := w.line(line); err != nil {
		return fmt.Errorf("lease of %s: %w", l.Addr, err)
	}
	w.leases++
	return nil
}

// Note writes one note.
func (w *Writer) Note(name string, value []byte) error {
	if err := w.line(noteLine{name, value}); err != nil {
		return fmt.Errorf("note %q: %w", name, err)
	}
	w.notes++
	return nil
}

// Close writes the end, without which the file is no backup.
func (w *Writer) Close() error {
	return w.line(endLine{format, w.leases, w.notes, hex.EncodeToString(w.sum.Sum(nil))})
}

// File is what a backup holds.
type File struct {
	Header
	Leases []lease.Lease
	Notes  map[string][]byte
}

// Write writes f whole.
func Write(to io.Writer, f File) error {
	w, err := NewWriter(to, f.Header)
	for _, l := range f.Leases {
		err = cmp.Or(err, w.Lease(l))
	}
	for _, name := range slices.Sorted(maps.Keys(f.Notes)) {
		err = cmp.Or(err, w.Note(name, f.Notes[name]))
	}
	return cmp.Or(err, w.Close())
}

// Read reads a backup to its end. A file that is cut short, changed, or of a newer
// version is an error, which names the line and what to do.
func Read(from io.Reader) (File, error) {
	r := reader{lines: bufio.NewScanner(from), sum: sha256.New(), known: make(map[netip.Addr]bool)}
	r.lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	r.lines.Split(wholeLines)
	r.file.Notes = make(map[string][]byte)
	if err := r.read(); err != nil {
		return File{}, fmt.Errorf("line %d: %w", max(r.number, 1), err)
	}
	return r.file, nil
}

type reader struct {
	lines  *bufio.Scanner
	number int
	sum    hash.Hash
	file   File
	known  map[netip.Addr]bool
	ended  bool
}

// wholeLines splits at line feeds, which belong to their lines.
func wholeLines(data []byte, atEnd bool) (advance int, line []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i+1], nil
	}
	if atEnd && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

var errCut = errors.New("the backup ends here, before its last line: it was cut short; use another backup")

func (r *reader) read() error {
	for r.lines.Scan() {
		r.number++
		line := r.lines.Bytes()
		if r.ended {
			return errors.New("something follows the end of the backup")
		}
		if err := r.take(line); err != nil {
			return err
		}
		r.sum.Write(line)
	}
	switch err := r.lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		r.number++
		return fmt.Errorf("it is longer than %d bytes", maxLine)
	case err != nil:
		return err
	case r.number == 0:
		return errors.New("the file is empty: this is no backup of leases")
	case !r.ended:
		return errCut
	}
	return nil
}

func (r *reader) take(line []byte) error {
	if r.number == 1 {
		return r.header(line)
	}
	if line[len(line)-1] != '\n' {
		return errCut
	}
	var kind struct {
		Lease, Note, End json.RawMessage
	}
	if err := json.Unmarshal(line, &kind); err != nil {
		return fmt.Errorf("the backup is damaged; use another one: %w", err)
	}
	switch {
	case kind.Lease != nil:
		return r.lease(line)
	case kind.Note != nil:
		return r.note(line)
	case kind.End != nil:
		return r.end(line)
	}
	return errors.New("it is neither a lease nor a note")
}

func (r *reader) header(line []byte) error {
	var first headerLine
	if json.Unmarshal(line, &first) != nil || first.Format != format {
		return fmt.Errorf("this is no backup of leases: one begins with {\"format\":%q", format)
	}
	if first.Version > version {
		return fmt.Errorf("the backup has version %d, written by a newer version of this program, which itself knows version %d: use that newer version", first.Version, version)
	}
	r.file.Header = first.Header
	r.file.Taken = first.Taken.UTC()
	if first.Version < 1 || first.Taken.IsZero() {
		return errors.New("the header of the backup is damaged; use another one")
	}
	return strictly(line, &headerLine{})
}

func (r *reader) lease(line []byte) error {
	var l leaseLine
	if err := strictly(line, &l); err != nil {
		return err
	}
	state, ok := stateOf(l.State)
	switch {
	case !ok:
		return fmt.Errorf("state %q: want bound, released, quarantined or withdrawn", l.State)
	case !l.Lease.IsValid() || l.Lease.Is4In6() || l.Lease.Zone() != "":
		return fmt.Errorf("%q is no address of a lease", l.Lease)
	case r.known[l.Lease]:
		return fmt.Errorf("%s has a lease before", l.Lease)
	}
	r.known[l.Lease] = true
	next := lease.Lease{
		Addr: l.Lease, Client: lease.ClientID(l.Client), Hardware: lease.ClientID(l.Hardware), State: state, Expires: l.Expires.UTC(), Hostname: string(l.Hostname),
		Unsynced: l.Unsynced, SyncedAt: l.SyncedAt.UTC(), ToldClient: lease.ClientID(l.ToldClient), ToldExpires: l.ToldExpires.UTC(),
	}
	if id := l.Interface; id != nil {
		next.InterfaceKind, next.InterfaceID, next.ByPort = id.Kind, id.ID, id.ByPort
	}
	r.file.Leases = append(r.file.Leases, next)
	return nil
}

func (r *reader) note(line []byte) error {
	var n noteLine
	if err := strictly(line, &n); err != nil {
		return err
	}
	if err := lease.CheckNote(n.Note, n.Value); err != nil {
		return err
	}
	if _, ok := r.file.Notes[n.Note]; ok {
		return fmt.Errorf("note %q is there before", n.Note)
	}
	r.file.Notes[n.Note] = n.Value
	return nil
}

func (r *reader) end(line []byte) error {
	var e endLine
	if err := strictly(line, &e); err != nil {
		return err
	}
	switch {
	case e.Leases != len(r.file.Leases) || e.Notes != len(r.file.Notes):
		return fmt.Errorf("the backup should have %d leases and %d notes, and has %d and %d: use another one", e.Leases, e.Notes, len(r.file.Leases), len(r.file.Notes))
	case e.SHA256 != hex.EncodeToString(r.sum.Sum(nil)):
		return errors.New("the checksum is wrong, so the backup was changed or damaged: use another one")
	}
	r.ended = true
	return nil
}

// strictly reads one JSON value without unknown fields.
func strictly(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("the backup is damaged; use another one: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the backup is damaged; use another one: a line has two values")
	}
	return nil
}

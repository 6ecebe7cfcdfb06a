// Package lease decides who gets which address and keeps the promise: Decide
// is the pure decision table of the server, Engine makes its decisions durable
// before they are spoken. It knows neither packets nor NetBox's API: requests
// arrive parsed, facts arrive as an ipam.Snapshot, durability is a Store. It
// never waits for NetBox and holds no lock while a Store commits.
package lease

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// ClientID is the client key of I-1: the hardware address as upper-case hex
// with colons, or option 61 in the same form where there is no hardware
// address.
type ClientID string

// Declined is the client key written for an address that an unknown host was
// found to use, so that every server and PyDHCP leave it alone.
const Declined ClientID = "00:00:00:00:00:00"

// State is what a stored lease says about its address.
type State uint8

// States of a stored lease. Freeing is a state, not a delete: the last client
// is remembered until the address goes to another one (S-8).
const (
	Bound       State = iota + 1 // acknowledged until Expires
	Released                     // given back at Expires
	Quarantined                  // declined, left alone until Expires
	Withdrawn                    // ended by the operator; its client may use it until Expires (C-10)
)

// String names the state as logs and tables show it.
func (s State) String() string {
	switch s {
	case Bound:
		return "bound"
	case Released:
		return "released"
	case Quarantined:
		return "quarantined"
	case Withdrawn:
		return "withdrawn"
	}
	return "unknown"
}

// Lease is what the store keeps of one address. Times are in UTC and whole
// seconds, but for SyncedAt, which has NetBox's microseconds.
type Lease struct {
	Addr   netip.Addr
	Client ClientID
	// Hardware is the hardware address of a client whose key is its identifier
	// (I-11); empty: the key is the hardware address.
	Hardware ClientID
	State    State
	Expires  time.Time
	Hostname string // the client's own name; untrusted text
	// Interface is the NetBox interface the client was known by, for
	// clients.bind_interface; zero ids mean none. With ByPort it is the mark of the
	// switch's port that the client claimed the address by, and not known by (CL-16).
	InterfaceKind uint8
	InterfaceID   int64
	ByPort        bool
	// Unsynced marks a change that NetBox has not been told yet: the marks
	// are the write-back queue (S-4).
	Unsynced bool
	// SyncedAt is NetBox's last_updated of the row when the record was last
	// seen to agree with this lease. A record that is empty at a later time
	// was emptied by an operator (S-5).
	SyncedAt time.Time
	// ToldClient and ToldExpires are what NetBox was told last, or what it showed of
	// another client when the lease was given. A running record that says something
	// else was written by another program (S-12).
	ToldClient  ClientID
	ToldExpires time.Time
}

// Foreign reports whether a running lease of another client in NetBox, in a row of
// the time given, was written by another program than this one.
func (l Lease) Foreign(client ClientID, expires, updated time.Time) bool {
	return client != l.Shown() && l.news(client, expires, updated)
}

// Outlived reports whether a lease of the same client in NetBox ends later, in a row
// of the time given, and was written by another program: that end counts (S-5).
func (l Lease) Outlived(client ClientID, expires, updated time.Time) bool {
	return client == l.Shown() && l.State == Bound && seconds(expires).After(l.Expires) && l.news(client, expires, updated)
}

// news reports whether a record, in a row of the time given, is not what NetBox was
// told last, nor an older one.
func (l Lease) news(client ClientID, expires, updated time.Time) bool {
	told := l.ToldClient != "" && client == l.ToldClient && expires.Equal(l.ToldExpires)
	return !told && (l.SyncedAt.IsZero() || updated.After(l.SyncedAt))
}

// Shown is the client as NetBox shows it: by its hardware address (I-13).
func (l Lease) Shown() ClientID {
	if l.Hardware != "" {
		return l.Hardware
	}
	return l.Client
}

// says reports whether the record in NetBox is the same for l and other.
func (l Lease) says(other Lease) bool {
	return l.Client == other.Client && l.Hardware == other.Hardware && l.State == other.State && l.Expires.Equal(other.Expires) && l.Hostname == other.Hostname &&
		l.InterfaceKind == other.InterfaceKind && l.InterfaceID == other.InterfaceID && l.ByPort == other.ByPort
}

// Revision counts the writes of one address's lease; 0 means no lease stored.
type Revision uint64

// Errors a Store returns for the caller to branch on.
var (
	// ErrConflict says that the stored revision is not the expected one.
	ErrConflict = errors.New("lease changed meanwhile")
	// ErrNotFound says that nothing is stored for the address.
	ErrNotFound = errors.New("no lease stored")
)

// Limits of a note.
const (
	MaxNoteName  = 255         // bytes
	MaxNoteValue = 1024 * 1024 // bytes
)

// CheckNote refuses a name or value that a Store cannot keep.
func CheckNote(name string, value []byte) error {
	switch {
	case name == "" || len(name) > MaxNoteName:
		return fmt.Errorf("the name of a note has %d bytes, and may have 1 to %d", len(name), MaxNoteName)
	case len(value) > MaxNoteValue:
		return fmt.Errorf("note %q has %d bytes, and may have %d", name, len(value), MaxNoteValue)
	}
	return nil
}

// Change is a lease that is to be stored if the revision stored for its address is
// still the expected one; 0 expects none.
type Change struct {
	Next     Lease
	Expected Revision
}

// CompareAndSwap is CommitGroup for one change; it returns the new revision.
func CompareAndSwap(ctx context.Context, s Store, next Lease, expected Revision) (Revision, error) {
	if err := s.CommitGroup(ctx, []Change{{next, expected}})[0]; err != nil {
		return 0, err
	}
	return expected + 1, nil
}

// Store keeps leases durably. It holds no policy. Implementations are safe for
// concurrent use and pass leasetest.Contract.
type Store interface {
	// Lease returns what is stored for addr, or ErrNotFound.
	Lease(ctx context.Context, addr netip.Addr) (Lease, Revision, error)
	// Each calls fn for every stored lease in address order and stops at the
	// first error, which it returns.
	Each(ctx context.Context, fn func(Lease, Revision) error) error
	// CommitGroup makes the changes of a group durable with one write, and returns the
	// error of each, in their order. nil says that the lease is durable, one revision
	// above the expected one. ErrConflict says that the stored revision is not the
	// expected one: that change is left out, and costs no other anything. Any other
	// error leaves the outcome unknown: read again. Changes of one address count one
	// after another. The group is the caller's again when the call returns.
	CommitGroup(ctx context.Context, group []Change) []error
	// Notes returns all notes by name: what the engine has to know after a
	// restart beside the leases.
	Notes(ctx context.Context) (map[string][]byte, error)
	// SetNote keeps value under name, of 1 to MaxNoteName bytes; nil removes the
	// note. When it returns nil the note is durable. Any other error leaves the
	// outcome unknown.
	SetNote(ctx context.Context, name string, value []byte) error
	// Close releases the store. Calls that are under way finish first.
	Close() error
}

package state

import (
	"errors"
	"time"
)

// ErrNotAsked marks a change log that was not read, since nothing rests on it.
var ErrNotAsked = errors.New("not asked for")

// Mark is a place in NetBox's change log: its newest record at some time. Records
// have rising ids. Zero: none.
type Mark struct {
	Record  int64     `json:"record"`
	Time    time.Time `json:"time"` // by NetBox's clock
	Request string    `json:"request,omitempty"`
}

// Known reports whether there is such a place. A log without records has one with
// record 0.
func (m Mark) Known() bool { return !m.Time.IsZero() }

// Gone is an object that NetBox does not show any more, and where to look for the
// record of its deletion.
type Gone struct {
	Kind   Kind
	Object int64
	After  Mark  // only records after this one count
	Record int64 // found by an earlier run; 0: none yet
}

// ChangeLog is what was asked of NetBox's change log.
type ChangeLog struct {
	Err     error // why it could not be read; ErrNotAsked where no run needs it
	Newest  Mark
	Broken  bool // the record that was newest the last time is gone, or is another one now
	Deleted []Deletion
}

// Deletion is a record of a deletion, with what the object was before.
type Deletion struct {
	Mark
	Kind    Kind
	Object  int64
	Message string
	Address Address // of an IP address: address, VRF and client id
	Range   Range   // of an IP range: span, VRF, source and other sources
}

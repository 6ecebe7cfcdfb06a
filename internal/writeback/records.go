package writeback

import (
	"context"
	"net/netip"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/follow"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// RecordChange says what the record of one address is to become.
type RecordChange struct {
	ID   int64      // of the address object; 0: there is none
	Make *Object    // what to make where there is none; nil: there is one
	Addr netip.Addr // its host address; an object renumbered meanwhile is Gone
	// Record is written whole, except that an empty Hostname leaves that field
	// as it is. A zero Expires clears the field.
	Record ipam.Record
	// Bind assigns the address to an interface; Unbind takes back an
	// assignment, if it is still to that interface. Both zero: the
	// assignment is not touched.
	Bind, Unbind ipam.InterfaceID
	// Keep reports whether a running record found in a row of the time given was
	// written by another program, and has to stay (S-12); nil: none is.
	Keep func(have ipam.Record, updated time.Time) bool
	// Message goes to NetBox's change log from 4.4 on.
	Message string
}

// RecordResult belongs to the RecordChange of the same index.
type RecordResult struct {
	// Outcome is Gone where the object is not there or was renumbered, Changed
	// where the record is to be kept (S-12), and Failed where the same change may
	// be tried again.
	Outcome netbox.Outcome
	// Err is set for Refused and Failed. For Done and Unchanged it says why
	// only the assignment to an interface was left out.
	Err         error
	Made        int64     // id of the object that was made; 0: none was
	LastUpdated time.Time // of the row, for Done and Unchanged
}

// WriteRecords brings records of addresses up to date, in as few requests as
// possible. Every row is read just before, and one that shows the record
// already is not written. So a caller may always call again with the same
// changes: nothing is lost, and nothing is written twice. IDs must be distinct.
// An object that is to be made is looked for first; its id becomes that of the change.
func WriteRecords(ctx context.Context, c *netbox.Client, fields follow.Fields, changes []RecordChange) []RecordResult {
	results := make([]RecordResult, len(changes))
	version, err := c.Version(ctx)
	if err != nil {
		return failAll(results, err)
	}
	job := &recordJob{fields: fields, version: version, changes: changes, results: results,
		unassignable: make(map[int]error), assigning: make(map[int]bool)}
	if err := job.make(ctx, c); err != nil {
		return failAll(results, err)
	}
	w := netbox.Conditional{Table: netbox.Addresses, Columns: recordColumns, Job: job}
	var left []int // those that have an object
	for i := range changes {
		if results[i].Outcome == "" {
			left = append(left, i)
		}
	}
	for len(left) > 0 {
		n := min(c.BatchSize(), len(left))
		if err := c.WriteIf(ctx, w, left[:n]); err != nil {
			return failAll(results, err)
		}
		left = left[n:]
	}
	return results
}

// failAll marks what has no outcome yet.
func failAll(results []RecordResult, err error) []RecordResult {
	for i := range results {
		if results[i].Outcome == "" {
			results[i] = RecordResult{Outcome: netbox.Failed, Err: err}
		}
	}
	return results
}

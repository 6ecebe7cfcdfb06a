package writeback

import (
	"encoding/json"
	"fmt"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/follow"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// recordJob is one call of WriteRecords as conditional writes.
type recordJob struct {
	fields  follow.Fields
	version netbox.Version
	changes []RecordChange
	results []RecordResult
	// unassignable says why the assignment of a change is left out.
	unassignable map[int]error
	// assigning holds the changes whose last body has an assignment in it.
	assigning map[int]bool
}

func (j *recordJob) ID(i int) int64 { return j.changes[i].ID }

func (j *recordJob) Look(i int, raw json.RawMessage) any {
	if raw == nil {
		j.results[i] = RecordResult{Outcome: netbox.Gone}
		return nil
	}
	row := new(recordRow)
	if err := json.Unmarshal(raw, row); err != nil {
		j.results[i] = j.refused(i, "NetBox shows the address in a form that cannot be read")
		return nil
	}
	if row.host() != j.changes[i].Addr {
		j.results[i] = RecordResult{Outcome: netbox.Gone}
		return nil
	}
	if keep := j.changes[i].Keep; keep != nil && keep(j.fields.Record(row.CustomFields), row.LastUpdated.Time) {
		j.results[i] = RecordResult{Outcome: netbox.Changed}
		return nil
	}
	p := j.patch(i, row)
	if p.empty() {
		j.results[i] = RecordResult{Outcome: netbox.Unchanged, Err: j.unassignable[i], LastUpdated: row.LastUpdated.Time}
		return nil
	}
	j.assigning[i] = p.assign
	return p.body(j.changes[i], j.version)
}

// Confirm checks that the row shows what was asked for: some versions pass
// over custom fields they do not know.
func (j *recordJob) Confirm(i int, raw json.RawMessage) {
	row := new(recordRow)
	if err := json.Unmarshal(raw, row); err != nil || !j.patch(i, row).empty() {
		j.results[i] = j.refused(i, notTaken)
		return
	}
	j.results[i] = RecordResult{Outcome: netbox.Done, Err: j.unassignable[i], LastUpdated: row.LastUpdated.Time}
}

// notTaken is the reason where a row does not show what was written.
const notTaken = "NetBox did not take the values over: check that the custom fields exist for IP addresses, and their types"

func (j *recordJob) PassedOver(i int) { j.results[i] = j.refused(i, netbox.NotWritable) }

func (j *recordJob) Contested(i int, err *netbox.Error) {
	j.results[i] = RecordResult{Outcome: netbox.Failed, Err: err}
}

func (j *recordJob) refused(i int, why string) RecordResult {
	return RecordResult{Outcome: netbox.Refused, Err: &netbox.Error{Kind: netbox.Invalid, Op: fmt.Sprintf("write the record of %s", j.changes[i].Addr), Message: why}}
}

// Refuse gives row i up. Where the body has an assignment, NetBox may refuse
// only that, because the address is another machine's primary one: then the
// record is written without it.
func (j *recordJob) Refuse(i int, err *netbox.Error) (again bool) {
	if j.assigning[i] {
		j.unassignable[i] = err
		return true
	}
	j.results[i] = RecordResult{Outcome: netbox.Refused, Err: err}
	return false
}

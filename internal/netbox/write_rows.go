package netbox

import (
	"encoding/json"
	"fmt"

	api "github.com/netbox-community/go-netbox/v4"
)

// recordJob is one call of WriteRecords as conditional writes.
type recordJob struct {
	client  *Client
	version Version
	changes []RecordChange
	results []RecordResult
	// unassignable says why the assignment of a change is left out.
	unassignable map[int]error
	// assigning holds the changes whose last body has an assignment in it.
	assigning map[int]bool
}

func (j *recordJob) id(i int) int64 { return j.changes[i].ID }

func (j *recordJob) look(i int, raw json.RawMessage) any {
	if raw == nil {
		j.results[i] = RecordResult{Outcome: Gone}
		return nil
	}
	row := new(addressRow)
	if err := json.Unmarshal(raw, row); err != nil {
		j.results[i] = j.refused(i, "NetBox shows the address in a form that cannot be read")
		return nil
	}
	if row.host() != j.changes[i].Addr {
		j.results[i] = RecordResult{Outcome: Gone}
		return nil
	}
	p := j.patch(i, row)
	if p.empty() {
		j.results[i] = RecordResult{Outcome: Unchanged, Err: j.unassignable[i], LastUpdated: row.LastUpdated.Time}
		return nil
	}
	j.assigning[i] = p.assign
	return j.request(i, p)
}

// confirm checks that the row shows what was asked for: some versions pass
// over custom fields they do not know.
func (j *recordJob) confirm(i int, raw json.RawMessage) {
	row := new(addressRow)
	if err := json.Unmarshal(raw, row); err != nil || !j.patch(i, row).empty() {
		j.results[i] = j.refused(i, notTaken)
		return
	}
	j.results[i] = RecordResult{Outcome: Done, Err: j.unassignable[i], LastUpdated: row.LastUpdated.Time}
}

// notTaken is said of rows that do not show what was written.
const notTaken = "NetBox did not take the values over: check that the custom fields exist for IP addresses, and their types"

func (j *recordJob) passedOver(i int) { j.results[i] = j.refused(i, notOurs) }

func (j *recordJob) elusive(i int, err *Error) {
	j.results[i] = RecordResult{Outcome: Retry, Err: err}
}

func (j *recordJob) refused(i int, why string) RecordResult {
	return RecordResult{Outcome: Refused, Err: &Error{Kind: Invalid, Op: fmt.Sprintf("write the record of %s", j.changes[i].Addr), Message: why}}
}

// refuse gives row i up, unless only the assignment may be to blame, which is
// then left out: an address may be another machine's primary one.
func (j *recordJob) refuse(i int, err *Error) (again bool) {
	if j.assigning[i] {
		j.unassignable[i] = err
		return true
	}
	j.results[i] = RecordResult{Outcome: Refused, Err: err}
	return false
}

// request is the body for row i in go-netbox's words. A page of one object
// passes over the id.
func (j *recordJob) request(i int, p patch) *api.PatchedWritableIPAddressRequest {
	r := api.NewPatchedWritableIPAddressRequest()
	if len(p.fields) > 0 {
		r.SetCustomFields(p.fields)
	}
	switch {
	case p.assign && p.to.Kind == 0:
		r.SetAssignedObjectTypeNil()
		r.SetAssignedObjectIdNil()
	case p.assign:
		r.SetAssignedObjectType(interfacesOf(p.to.Kind).model())
		r.SetAssignedObjectId(p.to.ID)
	}
	r.AdditionalProperties = map[string]any{"id": j.changes[i].ID}
	if message := changelogMessage(j.version, j.changes[i].Message); message != "" {
		r.AdditionalProperties["changelog_message"] = message
	}
	return r
}

// changelogMessage is a message as NetBox's change log keeps it; empty where
// there is nothing to say or no place for it.
func changelogMessage(v Version, message string) string {
	if !v.AtLeast(4, 4) {
		return ""
	}
	runes := []rune(message)
	return string(runes[:min(len(runes), maxMessageLength)])
}

package writeback

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/follow"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// How many IP addresses NetBox makes and deletes a second, about.
const (
	MadeASecond    = 50
	RemovedASecond = 30
)

const (
	// removeEvery is how often objects are looked for whose lease has ended.
	removeEvery = time.Minute
	// maxRemovals bounds what is deleted at a time: new leases are told in between.
	maxRemovals = 100
	// keptFor is when an object is looked at again that people have changed or use.
	keptFor = time.Hour
	// lookedUp is how many addresses are asked for with one request.
	lookedUp = 100
	// maker is the value of follow.MadeField.
	maker = "coredhcp-netbox"
)

// Object is an IP address that is made for a lease (S-17).
type Object struct {
	Address netip.Prefix
	VRF     int64 // 0: global table
	Tag     int64 // the dynamic tag
}

// home says what a lease is shown in: the object of its address, one that was just
// made and that the snapshot does not show yet, or one that has to be made.
func (w *Writer) home(s *ipam.Snapshot, a *ipam.Address, l lease.Lease) (id int64, object *Object, err error) {
	if a.Range == nil && !w.removed[a.ID] {
		return a.ID, nil, nil
	}
	known := w.made[l.Addr]
	switch {
	case !w.config.MakeObjects, a.Range != nil && a.Range.Populated:
		return 0, nil, errRange
	case known != 0 && !w.removed[known]:
		return known, nil, nil
	case l.State != lease.Bound || !w.config.Running(l.Expires):
		return 0, nil, errRange
	case w.lacksTag(s):
		return 0, nil, errRange
	}
	bits := a.Address.Bits()
	if n := s.SubnetOf(a); n != nil && bits == 32 {
		bits = n.Prefix.Prefix.Bits()
	}
	return 0, &Object{Address: netip.PrefixFrom(l.Addr, bits), VRF: a.VRF, Tag: s.DynamicTag()}, nil
}

// lacksTag reports whether NetBox has no dynamic tag, which every object gets. A line
// says so once until it has one.
func (w *Writer) lacksTag(s *ipam.Snapshot) bool {
	lacks := s.DynamicTag() == 0
	if lacks && !w.untagged {
		w.config.Log.Warn("leases in ranges get no IP addresses in NetBox, which lacks the tag of dynamic.tag: create the tag (bootstrap does), or correct the setting (rule S-17)")
	}
	w.untagged = lacks
	return lacks
}

// seen forgets what the snapshot shows by now of the objects that were made or deleted.
func (w *Writer) seen(s *ipam.Snapshot) {
	for id := range w.removed {
		if s.Objects().Addresses[id] == nil {
			delete(w.removed, id)
		}
	}
	now := time.Now()
	for id, until := range w.kept {
		if !until.After(now) {
			delete(w.kept, id)
		}
	}
	for addr, id := range w.made {
		if s.Objects().Addresses[id] != nil {
			delete(w.made, addr)
		}
	}
}

// Removal is an object to delete, if it is still as it was when the lease was told.
type Removal struct {
	ID        int64
	Addr      netip.Addr
	Unchanged time.Time // last_updated of the row
	Message   string    // for NetBox's change log from 4.4 on
}

// ended returns the lease of an object that was made for it, if that ended
// lease.reclaim_grace ago. An object that differs from what this server wrote last, or
// whose lease its store does not know, is not its own (S-18).
func (w *Writer) ended(a *ipam.Address) (lease.Lease, bool) {
	if !a.Made || a.Loss != ipam.Present || w.removed[a.ID] || !w.kept[a.ID].IsZero() {
		return lease.Lease{}, false
	}
	l, ok := w.config.Lease(a.Address.Addr())
	return l, ok && !l.Unsynced && l.SyncedAt.Equal(a.LastUpdated) && !w.config.Running(l.Expires.Add(w.config.Grace))
}

// removals are objects that were made for leases that have ended.
func (w *Writer) removals(s *ipam.Snapshot) (list []Removal) {
	for _, a := range s.Objects().Addresses {
		l, ok := w.ended(a)
		if !ok || a.Interface != (ipam.InterfaceID{}) {
			continue
		}
		list = append(list, Removal{ID: a.ID, Addr: l.Addr, Unchanged: a.LastUpdated, Message: fmt.Sprintf("DHCP: the lease of %s has ended", l.Shown())})
		if len(list) == maxRemovals {
			break
		}
	}
	return list
}

// unassign takes objects that were made for leases that have ended from the interfaces
// that this server assigned them to. Once the snapshot shows that, they can be
// deleted.
func (w *Writer) unassign(ctx context.Context, s *ipam.Snapshot) {
	var told []lease.Lease
	var changes []RecordChange
	for _, a := range s.Objects().Addresses {
		l, ok := w.ended(a)
		port := ipam.InterfaceID{Kind: ipam.Kind(l.InterfaceKind), ID: l.InterfaceID}
		if !ok || a.Interface != port || port == (ipam.InterfaceID{}) || len(told) == maxRemovals {
			continue
		}
		c, err := w.change(s, l)
		if err != nil || c.ID != a.ID {
			continue
		}
		c.Bind, c.Unbind = ipam.InterfaceID{}, port
		c.Keep = func(_ ipam.Record, updated time.Time) bool { return !updated.Equal(l.SyncedAt) }
		told, changes = append(told, l), append(changes, c)
	}
	if len(changes) == 0 {
		return
	}
	for i, result := range w.config.Write(ctx, changes) {
		if result.Err != nil {
			w.notRemoved(changes[i].Addr, changes[i].ID, result.Err)
		}
		switch {
		case result.Outcome == netbox.Done && result.Err == nil:
			w.synced(ctx, told[i], result.LastUpdated)
		case result.Outcome != netbox.Failed:
			w.kept[changes[i].ID] = time.Now().Add(keptFor)
		}
	}
}

func (w *Writer) notRemoved(addr netip.Addr, id int64, err error) {
	w.quiet.Warn("remove", "an IP address that was made for a lease cannot be deleted; it is tried again", logrus.Fields{
		"addr": addr, "id": id, logrus.ErrorKey: err,
	})
}

// remove deletes objects whose lease has ended. It returns how long to wait before
// the next look. A clock that is not trusted ends no lease (S-14).
func (w *Writer) remove(ctx context.Context) time.Duration {
	s := w.config.Snapshot()
	if s == nil || w.down {
		return removeEvery
	}
	if w.config.ReclaimPause != nil && w.config.ReclaimPause() > 0 {
		return removeEvery
	}
	w.seen(s)
	list := w.removals(s)
	w.unassign(ctx, s)
	if len(list) == 0 {
		return removeEvery
	}
	counts := make(map[netbox.Outcome]int)
	for i, result := range w.config.Remove(ctx, list) {
		counts[result.Outcome]++
		switch result.Outcome {
		case netbox.Done, netbox.Gone:
			w.removed[list[i].ID] = true
		case netbox.Changed:
			w.kept[list[i].ID] = time.Now().Add(keptFor)
		default:
			w.notRemoved(list[i].Addr, list[i].ID, result.Err)
		}
	}
	w.config.Log.WithFields(logrus.Fields{"deleted": counts[netbox.Done], "changed": counts[netbox.Changed], "of": len(list)}).Debug("objects of ended leases deleted")
	if len(list) == maxRemovals && counts[netbox.Done] > 0 {
		return gather
	}
	return removeEvery
}

// make makes the objects of those changes that have none. Those that NetBox has
// already, as after an answer that was lost, go on as changes of their records.
func (j *recordJob) make(ctx context.Context, c *netbox.Client) error {
	var wanted []int
	for i := range j.changes {
		if j.changes[i].Make != nil && j.changes[i].ID == 0 {
			wanted = append(wanted, i)
		}
	}
	for part := range slices.Chunk(wanted, lookedUp) {
		if err := j.lookUp(ctx, c, part); err != nil {
			return err
		}
	}
	missing := slices.DeleteFunc(wanted, func(i int) bool { return j.changes[i].ID != 0 || j.results[i].Outcome != "" })
	for part := range slices.Chunk(missing, c.BatchSize()) {
		if err := c.Create(ctx, netbox.Creation{Table: netbox.Addresses, Body: j.newBody, Refuse: j.notMade, Accept: j.wasMade}, part); err != nil {
			return err
		}
	}
	return nil
}

// lookUp finds objects that the addresses of some changes have already.
func (j *recordJob) lookUp(ctx context.Context, c *netbox.Client, part []int) error {
	type place struct {
		vrf  int64
		host netip.Addr
	}
	at := make(map[place]int)
	q := url.Values{"fields": {recordColumns + ",vrf"}}
	for _, i := range part {
		at[place{j.changes[i].Make.VRF, j.changes[i].Addr}] = i
		q.Add("address", j.changes[i].Addr.String())
	}
	return c.List(ctx, netbox.Addresses, q, func(raw json.RawMessage) (int64, error) {
		var row struct {
			recordRow
			VRF netbox.Ref `json:"vrf"`
		}
		if err := json.Unmarshal(raw, &row); err != nil {
			return 0, err
		}
		i, asked := at[place{int64(row.VRF), row.host()}]
		switch {
		case !asked && !slices.ContainsFunc(part, func(i int) bool { return j.changes[i].Addr == row.host() }):
			return row.ID, netbox.Contradiction(netbox.Addresses, "IP address id %d has none of the addresses asked for: the filter was ignored", row.ID)
		case !asked: // of another VRF
		case netbox.FieldText(row.CustomFields, follow.MadeField) != "":
			j.changes[i].ID = row.ID
		default: // of people: the next snapshot shows it
			j.results[i] = RecordResult{Outcome: netbox.Gone}
		}
		return row.ID, nil
	})
}

// newBody is an object in NetBox's words.
func (j *recordJob) newBody(i int) any {
	change := j.changes[i]
	p := j.patch(i, new(recordRow))
	p.fields[follow.MadeField] = maker
	a := netbox.NewAddress{
		Address: change.Make.Address, VRF: change.Make.VRF, Tag: change.Make.Tag, CustomFields: p.fields,
		Message: j.version.ChangelogMessage(change.Message),
	}
	if p.assign && p.to.Kind != 0 && j.unassignable[i] == nil {
		a.To, a.ToID = follow.InterfacesOf(p.to.Kind), p.to.ID
	}
	return a.Body()
}

func (j *recordJob) notMade(i int, err *netbox.Error) {
	j.results[i] = RecordResult{Outcome: netbox.Refused, Err: err}
}

func (j *recordJob) wasMade(sent []int, rows []json.RawMessage) {
	for n, i := range sent {
		j.Confirm(i, rows[n])
		j.results[i].Made = netbox.IDOf(rows[n])
	}
}

// removeJob is one call of RemoveObjects as conditional writes.
type removeJob struct {
	version  netbox.Version
	removals []Removal
	results  []RecordResult
}

// removeRow is what an object is compared with before it is deleted.
type removeRow struct {
	recordRow
	NATInside  netbox.Ref   `json:"nat_inside"`
	NATOutside []netbox.Ref `json:"nat_outside"`
	// What servers make with one value each and never write again.
	Status      netbox.Choice `json:"status"`
	Role        netbox.Choice `json:"role"`
	Tenant      netbox.Ref    `json:"tenant"`
	Tags        []netbox.Ref  `json:"tags"`
	DNSName     string        `json:"dns_name"`
	Description string        `json:"description"`
	Comments    string        `json:"comments"`
}

const removeColumns = recordColumns + ",nat_inside,nat_outside,status,role,tenant,tags,dns_name,description,comments"

// used reports whether anything has to do with the object beside its lease.
func (r *removeRow) used() bool {
	return r.AssignedID != 0 || r.NATInside != 0 || len(r.NATOutside) > 0
}

// edited reports whether people wrote something on the object. That is seen in the row,
// since a renewal makes the server the last to write it (S-18).
func (r *removeRow) edited() bool {
	return r.Status != "active" || r.Role != "" || r.Tenant != 0 || len(r.Tags) != 1 || r.DNSName != "" || r.Description != "" || r.Comments != ""
}

// RemoveObjects deletes objects that servers made for leases, each only if nobody
// changed it since the lease was told, and nothing uses it: one at a time with
// If-Match, or before NetBox 4.6, which knows none, after reading it again. IDs must
// be distinct.
func RemoveObjects(ctx context.Context, c *netbox.Client, removals []Removal) []RecordResult {
	job := &removeJob{removals: removals, results: make([]RecordResult, len(removals))}
	var err error
	if job.version, err = c.Version(ctx); err != nil {
		return failAll(job.results, err)
	}
	size := 1
	if !job.version.AtLeast(4, 6) {
		size = c.BatchSize()
	}
	w := netbox.Conditional{Table: netbox.Addresses, Delete: true, Columns: removeColumns, Job: job}
	for first := 0; first < len(removals); first += size {
		var batch []int
		for i := first; i < min(first+size, len(removals)); i++ {
			batch = append(batch, i)
		}
		if err := c.WriteIf(ctx, w, batch); err != nil {
			return failAll(job.results, err)
		}
	}
	return job.results
}

func (j *removeJob) ID(i int) int64 { return j.removals[i].ID }

func (j *removeJob) Look(i int, raw json.RawMessage) any {
	row := new(removeRow)
	switch {
	case raw == nil:
		j.results[i] = RecordResult{Outcome: netbox.Gone}
		return nil
	case json.Unmarshal(raw, row) != nil || row.host() != j.removals[i].Addr || !row.LastUpdated.Equal(j.removals[i].Unchanged),
		netbox.FieldText(row.CustomFields, follow.MadeField) == "", row.used(), row.edited():
		j.results[i] = RecordResult{Outcome: netbox.Changed}
		return nil
	}
	body := map[string]any{"id": j.removals[i].ID}
	if why := j.version.ChangelogMessage(j.removals[i].Message); why != "" {
		body["changelog_message"] = why
	}
	return body
}

func (j *removeJob) Refuse(i int, err *netbox.Error) (again bool) {
	j.results[i] = RecordResult{Outcome: netbox.Refused, Err: err}
	return false
}

func (j *removeJob) Confirm(i int, _ json.RawMessage) {
	j.results[i] = RecordResult{Outcome: netbox.Done}
}

func (j *removeJob) PassedOver(i int) {
	j.results[i] = RecordResult{Outcome: netbox.Refused, Err: &netbox.Error{Kind: netbox.Invalid, Op: fmt.Sprintf("delete the IP address %s", j.removals[i].Addr), Message: netbox.NotWritable}}
}

func (j *removeJob) Contested(i int, err *netbox.Error) {
	j.results[i] = RecordResult{Outcome: netbox.Failed, Err: err}
}

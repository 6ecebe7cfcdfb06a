package writeback

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/follow"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// Reservation makes the address of a lease a static one of its client, by the word of an
// operator (C-15). What is empty stays as it is.
type Reservation struct {
	was       ipam.Address // as it was planned on
	vrf       int64
	create    netip.Prefix // of an object to make, for an address of a range; zero: there is one
	to        ipam.InterfaceID
	field     string // of the client, where it has no interface
	value     string
	dropTag   int64
	setStatus string
	clear     []string // custom fields
	message   string
	Steps     []string // in words, one for each change; none: nothing is to be done
}

// ErrNotReservable says why a lease cannot become a reservation.
var ErrNotReservable = errors.New("it cannot be reserved")

func notReservable(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrNotReservable, fmt.Sprintf(format, args...))
}

// PlanReservation says what has to change in NetBox, which s shows, so that the address
// of l is a static one of its client. status is dynamic.status; empty: none. Errors name
// the setting that is missing.
func PlanReservation(s *ipam.Snapshot, fields follow.Fields, status string, l lease.Lease) (*Reservation, error) {
	n, err := s.Subnet(l.Addr)
	if err != nil {
		return nil, notReservable("%v", err)
	}
	a := s.Address(n.VRF, l.Addr)
	switch {
	case a == nil:
		return nil, notReservable("NetBox has no such IP address, and no range that is a pool")
	case a.Managed:
		return nil, notReservable("the mirror of Windows servers manages it; reserve it there")
	}
	r := &Reservation{was: *a, vrf: a.VRF, message: fmt.Sprintf("DHCP: reserved for %s, which leased it", l.Shown())}
	if a.Range != nil {
		r.create = netip.PrefixFrom(l.Addr, n.Prefix.Prefix.Bits())
		r.step("create IP address %s", r.create)
	}
	if err := r.nameClient(s, fields, l, a); err != nil {
		return nil, err
	}
	if tag := s.DynamicTag(); tag != 0 && slices.Contains(a.Tags, tag) {
		r.dropTag = tag
		r.step("take the tag that makes it dynamic from it (id %d)", tag)
	}
	if status != "" && a.Status == status {
		r.setStatus = "active"
		r.step("set its status, %s, which makes it dynamic, to active", status)
	}
	if a.Record.Client != "" || !a.Record.Expires.IsZero() || a.Record.Unreadable {
		r.clear = append(r.clear, fields.MAC, fields.Expire)
		r.step("empty %s and %s, the record of the lease", fields.MAC, fields.Expire)
	}
	if a.Made {
		r.clear = append(r.clear, follow.MadeField)
		r.step("empty %s: it is not made for a lease any more", follow.MadeField)
	}
	return r, nil
}

func (r *Reservation) step(format string, args ...any) {
	r.Steps = append(r.Steps, fmt.Sprintf(format, args...))
}

// nameClient assigns the address to the client's interface, or names the client in a
// field of the address.
func (r *Reservation) nameClient(s *ipam.Snapshot, fields follow.Fields, l lease.Lease, a *ipam.Address) error {
	mac, err := ipam.ParseMAC(string(l.Shown()))
	if err != nil {
		return r.inField(fields.ReservationID, "reservation_client_id", "the client has no MAC", string(l.Shown()), a, a.Reserved != nil && a.Reserved.ClientID != "")
	}
	ports := s.InterfacesWithMAC(mac)
	switch {
	case len(ports) > 1:
		return notReservable("MAC %s is on several interfaces in NetBox: assign the address to one of them there", mac)
	case len(ports) == 0:
		return r.inField(fields.ReservationMAC, "reservation_mac", "no interface in NetBox has MAC "+mac.String(), mac.String(), a, a.Reserved != nil && a.Reserved.MAC == mac)
	}
	port := ports[0].ID
	if ports[0].LAG != 0 {
		port.ID = ports[0].LAG
	}
	switch a.Interface {
	case port:
	case ipam.InterfaceID{}:
		r.to = port
		r.step("assign it to %s", s.PortName(port))
	default:
		return notReservable("it is assigned to %s: take that back in NetBox first", s.PortName(a.Interface))
	}
	return nil
}

func (r *Reservation) inField(field, setting, why, value string, a *ipam.Address, named bool) error {
	switch {
	case a.Interface != (ipam.InterfaceID{}):
		return notReservable("%s, and the address is assigned to another interface: take that back in NetBox first", why)
	case field == "":
		return notReservable("%s, and netbox.fields.%s is not set: name a custom field there and let bootstrap make it, or give the client an interface in NetBox", why, setting)
	case named:
		return nil
	case a.Reserved != nil:
		return notReservable("its fields name another client already")
	}
	r.field, r.value = field, value
	r.step("set its field %s to %s", field, value)
	return nil
}

// After is the address as it will be.
func (r *Reservation) After(fields follow.Fields) *ipam.Address {
	a := r.was
	if r.create.IsValid() {
		a.Address, a.Range, a.Status, a.ID = r.create, nil, "active", -1
	}
	a.Tags = slices.DeleteFunc(slices.Clone(a.Tags), func(tag int64) bool { return tag == r.dropTag })
	if r.setStatus != "" {
		a.Status = r.setStatus
	}
	if r.to != (ipam.InterfaceID{}) {
		a.Interface = r.to
	}
	if r.field != "" {
		mac, id := ipam.ReservationField{Name: fields.ReservationMAC}, ipam.ReservationField{Name: fields.ReservationID}
		if r.field == fields.ReservationMAC {
			mac.Text = r.value
		} else {
			id.Text = r.value
		}
		a.Reserved = ipam.ParseReservation(mac, id)
	}
	a.Record, a.Made = ipam.Record{}, false
	return &a
}

// Reserve carries a reservation out, if NetBox still shows what it was planned on.
func Reserve(ctx context.Context, c *netbox.Client, r *Reservation) error {
	version, err := c.Version(ctx)
	if err != nil {
		return err
	}
	j := &reserveJob{r: r, version: version}
	if r.create.IsValid() {
		err = c.Create(ctx, netbox.Creation{
			Table: netbox.Addresses, Body: func(int) any { return j.newBody() },
			Refuse: func(_ int, err *netbox.Error) { j.err = err }, Accept: func([]int, []json.RawMessage) {},
		}, []int{0})
	} else {
		err = c.WriteIf(ctx, netbox.Conditional{Table: netbox.Addresses, Columns: "id,address,vrf,status,role,tags,assigned_object_type,assigned_object_id,custom_fields,last_updated", Job: j}, []int{0})
	}
	return errors.Join(err, j.err)
}

// reserveJob is one Reserve as a conditional write.
type reserveJob struct {
	r       *Reservation
	version netbox.Version
	err     error
}

// reservedRow is what is compared with the plan.
type reservedRow struct {
	recordRow
	VRF    netbox.Ref    `json:"vrf"`
	Status netbox.Choice `json:"status"`
	Role   netbox.Choice `json:"role"`
	Tags   []netbox.Ref  `json:"tags"`
}

func (j *reserveJob) ID(int) int64 { return j.r.was.ID }

func (j *reserveJob) Look(_ int, raw json.RawMessage) any {
	was := j.r.was
	row := new(reservedRow)
	switch {
	case raw == nil:
		j.err = fmt.Errorf("the IP address is gone from NetBox since the plan was made: nothing was changed")
		return nil
	case json.Unmarshal(raw, row) != nil:
		j.err = errors.New("NetBox shows the address in a form that cannot be read: nothing was changed")
		return nil
	}
	tags, planned := netbox.IDs(row.Tags), slices.Clone(was.Tags)
	slices.Sort(tags)
	slices.Sort(planned)
	if row.host() != was.Address.Addr() || int64(row.VRF) != was.VRF || string(row.Status) != was.Status || string(row.Role) != was.Role ||
		follow.AssignedTo(row.AssignedType, row.AssignedID) != was.Interface || !slices.Equal(tags, planned) || j.r.field != "" && netbox.FieldText(row.CustomFields, j.r.field) != "" {
		j.err = errors.New("NetBox changed since the plan was made: nothing was changed; run it again")
		return nil
	}
	return j.body()
}

func (j *reserveJob) customFields() map[string]any {
	fields := make(map[string]any)
	for _, name := range j.r.clear {
		fields[name] = nil
	}
	if j.r.field != "" {
		fields[j.r.field] = j.r.value
	}
	return fields
}

func (j *reserveJob) body() any {
	r := j.r
	a := netbox.AddressPatch{ID: r.was.ID, CustomFields: j.customFields(), Status: r.setStatus, Message: j.version.ChangelogMessage(r.message)}
	if r.dropTag != 0 {
		a.SetTags, a.Tags = true, slices.DeleteFunc(slices.Clone(r.was.Tags), func(tag int64) bool { return tag == r.dropTag })
	}
	if r.to.Kind != 0 {
		a.Assign, a.To, a.ToID = true, follow.InterfacesOf(r.to.Kind), r.to.ID
	}
	return a.Body()
}

func (j *reserveJob) newBody() any {
	r := j.r
	a := netbox.NewAddress{Address: r.create, VRF: r.vrf, CustomFields: j.customFields(), Message: j.version.ChangelogMessage(r.message)}
	if r.to.Kind != 0 {
		a.To, a.ToID = follow.InterfacesOf(r.to.Kind), r.to.ID
	}
	return a.Body()
}

// Confirm checks that the row shows what was asked for: some versions pass over custom
// fields that they do not know.
func (j *reserveJob) Confirm(_ int, raw json.RawMessage) {
	row := new(reservedRow)
	if err := json.Unmarshal(raw, row); err != nil || slices.Contains(netbox.IDs(row.Tags), j.r.dropTag) && j.r.dropTag != 0 ||
		j.r.field != "" && netbox.FieldText(row.CustomFields, j.r.field) == "" || j.r.to.Kind != 0 && follow.AssignedTo(row.AssignedType, row.AssignedID) != j.r.to {
		j.err = errors.New(notTaken + "; bootstrap makes those that are missing")
	}
}

func (j *reserveJob) PassedOver(int) { j.err = errors.New(netbox.NotWritable) }

func (j *reserveJob) Refuse(_ int, err *netbox.Error) (again bool) {
	j.err = err
	return false
}

func (j *reserveJob) Contested(_ int, err *netbox.Error) { j.err = err }

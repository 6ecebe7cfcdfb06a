package writeback

import (
	"encoding/json"
	"net/netip"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/follow"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// recordRow is what a record is compared with and written to.
type recordRow struct {
	netbox.RowHead
	Address      string                     `json:"address"`
	AssignedType string                     `json:"assigned_object_type"`
	AssignedID   int64                      `json:"assigned_object_id"`
	CustomFields map[string]json.RawMessage `json:"custom_fields"`
}

const recordColumns = "id,address,assigned_object_type,assigned_object_id,custom_fields,last_updated"

func (r *recordRow) host() netip.Addr {
	p, err := netbox.ParseAddress(r.Address)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr()
}

// patch is what has to be sent to make a row as wanted: nothing but what
// differs, and nothing but our own fields.
type patch struct {
	fields map[string]any
	assign bool
	to     ipam.InterfaceID // zero: to nothing
}

func (p patch) empty() bool { return len(p.fields) == 0 && !p.assign }

func (j *recordJob) patch(i int, row *recordRow) patch {
	change, names := j.changes[i], j.fields
	have := names.Record(row.CustomFields)
	p := patch{fields: make(map[string]any)}
	if names.MAC != "" && have.Client != follow.ClientKey(change.Record.Client) {
		p.fields[names.MAC] = textOrNull(change.Record.Client)
	}
	expires := change.Record.Expires.Truncate(time.Second)
	if names.Expire != "" && (have.Unreadable || !have.Expires.Equal(expires)) {
		p.fields[names.Expire] = nil
		if !expires.IsZero() {
			p.fields[names.Expire] = netbox.FormatTime(expires)
		}
	}
	if names.Hostname != "" && change.Record.Hostname != "" && have.Hostname != change.Record.Hostname {
		p.fields[names.Hostname] = change.Record.Hostname
	}
	now, none := follow.AssignedTo(row.AssignedType, row.AssignedID), ipam.InterfaceID{}
	switch {
	case j.unassignable[i] != nil:
	case change.Bind != none:
		p.assign, p.to = now != change.Bind, change.Bind
	case change.Unbind != none:
		p.assign = now == change.Unbind
	}
	return p
}

func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// body is the patch in NetBox's words.
func (p patch) body(change RecordChange, v netbox.Version) any {
	a := netbox.AddressPatch{ID: change.ID, CustomFields: p.fields, Assign: p.assign, Message: v.ChangelogMessage(change.Message)}
	if p.assign && p.to.Kind != 0 {
		a.To, a.ToID = follow.InterfacesOf(p.to.Kind), p.to.ID
	}
	return a.Body()
}

package prepare

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// Right is a permission of the token's user. It is tried without writing
// anything.
type Right struct {
	Table    netbox.Table
	Action   string // view, add, change or delete
	Severity Severity
	// Object names the finding; empty: "view on ipam.prefix".
	Object string
	// Problem says what fails without it; empty: NetBox's answer does.
	Problem string
}

// rights are what a token may do with a list.
type rights struct{ add, change bool }

func (n Right) check(ctx context.Context, r *run) {
	allowed, err := n.try(ctx, r)
	if n.Action == "view" {
		r.denied[n.Table] = !allowed
	}
	permission := n.Action + " on " + n.Table.Model()
	object := n.Object
	if object == "" {
		object = permission
	}
	switch {
	case allowed:
	case err != nil && (n.Problem == "" || netbox.KindOf(err) != netbox.Forbidden):
		r.failed(object, err)
	default:
		fix := "give the token's user the object permission " + permission
		if n.Action != "view" {
			fix += ", and set the token write enabled"
		}
		r.add(n.Severity, object, n.Problem, fix)
	}
}

func (n Right) try(ctx context.Context, r *run) (allowed bool, err error) {
	switch n.Action {
	case "view":
		_, err = r.client.FirstPage(ctx, n.Table, url.Values{"limit": {"1"}, "fields": {"id"}})
		return err == nil, err
	case "delete":
		return r.client.MayDelete(ctx, n.Table)
	}
	may, asked := r.rights[n.Table]
	if !asked {
		may.add, may.change, err = r.client.Rights(ctx, n.Table)
		if err != nil {
			return false, err
		}
		r.rights[n.Table] = may
	}
	return n.Action == "add" && may.add || n.Action == "change" && may.change, nil
}

func (Right) plan(context.Context, *planner) error { return nil }

// Statuses needs statuses of IP addresses, no two of which are the same.
type Statuses []Status

// Status is a status that a setting names.
type Status struct {
	Value   string
	Setting string // "sync.statuses.lease"
	For     string // "leases"
}

func (n Statuses) check(ctx context.Context, r *run) {
	for i, s := range n {
		for _, other := range n[:i] {
			if s.Value == other.Value {
				r.add(Failure, "status "+s.Value, "it stands for "+other.For+" and for "+s.For+": they cannot be told apart",
					"set "+other.Setting+" and "+s.Setting+" to different values")
			}
		}
	}
	known, err := r.client.Choices(ctx, netbox.Addresses, "status")
	if r.failed("statuses of IP addresses", err) {
		return
	}
	if known == nil {
		r.add(Notice, "statuses of IP addresses", "they cannot be checked: the token may not add IP addresses", "")
		return
	}
	for _, s := range n {
		if !slices.Contains(known, s.Value) {
			r.add(Failure, "status "+s.Value, "IP addresses have no such status", "set "+s.Setting+" to one of "+strings.Join(known, ", ")+", or add it to FIELD_CHOICES")
		}
	}
}

func (Statuses) plan(context.Context, *planner) error { return nil }

package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// ScopeChange is what to change of a scope: nil fields are not sent and stay
// as they are.
type ScopeChange struct {
	Name         *string
	Start, End   *netip.Addr
	Description  *string // empty: it is blanked
	LeaseSeconds *int64
	Router       *netip.Addr // replaces the whole list of routers; the zero Addr removes it
	// Active switches the scope on or off. Only scripts with the calls of rule
	// 1.9 can.
	Active *bool
}

// ReservationChange is what to change of a reservation: nil fields are not
// sent and stay as they are.
type ReservationChange struct {
	Name        *string
	Description *string
	Type        *string
}

// CreateScope makes a scope. It is active, unless its State says otherwise and
// the server has the calls of rule 1.9; without them such a scope is not sent.
// The server joins it to no relationship, and may hide errors of the lease time
// and the router: read the scope again afterwards. Options are sent along, to a
// server that SetsOptions.
func (c *Client) CreateScope(ctx context.Context, s windhcp.Scope, options ...windhcp.OptionValue) error {
	k := call{op: "create scope " + s.Subnet.String(), method: http.MethodPost, path: "scopes", class: "scopes"}
	if err := checkScope(s); err != nil {
		return k.invalid(err)
	}
	body := map[string]any{
		"scope_id": s.ID().String(), "subnet_mask": maskOf(s.Subnet.Bits()).String(), "name": s.Name,
		"start_ip": s.Start.String(), "end_ip": s.End.String(),
	}
	if s.Router.IsValid() {
		body["router"] = s.Router.String()
	}
	if s.LeaseSeconds > 0 {
		body["lease_duration_seconds"] = s.LeaseSeconds
	}
	if s.Description != "" {
		body["description"] = s.Description
	}
	if s.State != "" && !s.Active() {
		if !c.Lists() {
			return k.invalid(errNoState)
		}
		body["state"] = stateInactive
	}
	if len(options) > 0 {
		list, err := c.optionList(options)
		if err != nil {
			return k.invalid(err)
		}
		body["options"] = list
	}
	k.body = body
	return c.write(ctx, k)
}

// SetOptions sets values of a scope that every client gets, all of them or none, and
// gives the options that the scope has then. Other options of the scope stay.
func (c *Client) SetOptions(ctx context.Context, scope netip.Addr, options []windhcp.OptionValue) (windhcp.List[windhcp.Option], error) {
	k := call{op: "set options of scope " + scope.String(), method: http.MethodPut, path: "options/scope/" + scope.String(), class: "options/scope/:scope_id"}
	list, err := c.optionList(options)
	if err := errors.Join(err, needIPv4("scope", scope)); err != nil {
		return windhcp.List[windhcp.Option]{}, k.invalid(err)
	}
	k.body = list
	got, err := c.once(ctx, k)
	if err != nil {
		return windhcp.List[windhcp.Option]{}, err
	}
	have := decodeList(got.Body, optionIdentity(), within(scope, decodeOption))
	if have.Err != nil {
		return have, c.decoding(have.Err, k, got)
	}
	return have, nil
}

// optionList is what is sent of options. Router and lease time belong to the scope.
func (c *Client) optionList(options []windhcp.OptionValue) (list []any, err error) {
	if !c.SetsOptions() {
		return nil, errors.New("the endpoint script of this server cannot set options: that takes ours, 2026.11.1 or newer")
	}
	for i, o := range options {
		same := func(p windhcp.OptionValue) bool { return p.Code == o.Code }
		switch {
		case o.Code < 1 || o.Code > 254 || o.Code == optionRouter || o.Code == optionLeaseTime:
			return nil, fmt.Errorf("option %d is not set in this way", o.Code)
		case len(o.Values) == 0 || slices.Contains(o.Values, ""):
			return nil, fmt.Errorf("option %d has no value", o.Code)
		case slices.ContainsFunc(options[:i], same):
			return nil, fmt.Errorf("option %d is there twice", o.Code)
		}
		list = append(list, map[string]any{"code": o.Code, "value": o.Values})
	}
	if len(list) == 0 {
		return nil, errNothing
	}
	return list, nil
}

// DeleteScope removes a scope. Windows refuses one that has leases. Only scripts
// with the calls of rule 1.9 can.
func (c *Client) DeleteScope(ctx context.Context, id netip.Addr) error {
	k := call{op: "delete scope " + id.String(), method: http.MethodDelete, path: "scopes/" + id.String(), class: "scopes/:scope_id"}
	if err := needIPv4("scope", id); err != nil {
		return k.invalid(err)
	}
	if !c.Lists() {
		return k.invalid(errors.New("the endpoint script of this server cannot delete scopes: that takes ours, or 2.0 or newer of the plugin"))
	}
	return c.write(ctx, k)
}

// Windows' words for the states of a scope.
const (
	stateActive   = "Active"
	stateInactive = "InActive"
)

var errNoState = errors.New("the endpoint script of this server cannot set the state of a scope: that takes ours, or 2.0 or newer of the plugin")

// UpdateScope changes a scope. A 404 does not say that the scope is missing:
// every refusal of Windows looks so (rule 1.4 quirk 8).
func (c *Client) UpdateScope(ctx context.Context, id netip.Addr, change ScopeChange) error {
	k := call{op: opUpdateScope + " " + id.String(), method: http.MethodPut, path: "scopes/" + id.String(), class: "scopes/:scope_id"}
	body, err := change.body()
	if err == nil {
		err = needIPv4("scope", id)
	}
	if err == nil && change.Active != nil && !c.Lists() {
		err = errNoState
	}
	if err != nil {
		return k.invalid(err)
	}
	k.body = body
	return c.write(ctx, k)
}

func (s ScopeChange) body() (map[string]any, error) {
	body := map[string]any{}
	putText(body, "name", s.Name)
	putText(body, "description", s.Description)
	for _, bound := range []struct {
		key  string
		addr *netip.Addr
	}{{"start_ip", s.Start}, {"end_ip", s.End}} {
		if bound.addr == nil {
			continue
		}
		if err := needIPv4(bound.key, *bound.addr); err != nil {
			return nil, err
		}
		body[bound.key] = bound.addr.String()
	}
	if s.Start != nil && s.End != nil && s.End.Less(*s.Start) {
		return nil, fmt.Errorf("end %s is below start %s", s.End, s.Start)
	}
	if s.LeaseSeconds != nil {
		if *s.LeaseSeconds <= 0 {
			return nil, fmt.Errorf("lease time of %d seconds", *s.LeaseSeconds)
		}
		body["lease_duration_seconds"] = *s.LeaseSeconds
	}
	if s.Router != nil {
		body["router"] = ""
		if s.Router.IsValid() {
			if err := needIPv4("router", *s.Router); err != nil {
				return nil, err
			}
			body["router"] = s.Router.String()
		}
	}
	if s.Active != nil {
		body["state"] = stateInactive
		if *s.Active {
			body["state"] = stateActive
		}
	}
	if len(body) == 0 {
		return nil, errNothing
	}
	return body, nil
}

// CreateReservation reserves an address of a scope. An empty Type means Dhcp.
func (c *Client) CreateReservation(ctx context.Context, scope netip.Addr, r windhcp.Reservation) error {
	k := call{op: opReserve + r.Addr.String(), method: http.MethodPost, path: "reservations", class: "reservations"}
	body, err := newReservation(scope, r)
	if err != nil {
		return k.invalid(err)
	}
	k.body = body
	return c.write(ctx, k)
}

const opReserve = "create reservation "

// newReservation is what is sent to make a reservation.
func newReservation(scope netip.Addr, r windhcp.Reservation) (map[string]any, error) {
	if r.Type == "" {
		r.Type = "Dhcp"
	}
	if err := errors.Join(needIPv4("scope", scope), needIPv4("address", r.Addr), needID(r.ClientID), needType(r.Type)); err != nil {
		return nil, err
	}
	return map[string]any{
		"scope_id": scope.String(), "ip_address": r.Addr.String(), "client_id": string(r.ClientID),
		"name": r.Name, "description": r.Description, "type": r.Type,
	}, nil
}

// UpdateReservation changes the reservation that an address of a scope has: r says
// which address and which client. A server without the calls of rule 1.9 is told
// the client alone and takes the first reservation of that client in any scope:
// make sure there is only one (rule 5.2). This holds for DeleteReservation too.
func (c *Client) UpdateReservation(ctx context.Context, scope netip.Addr, r windhcp.Reservation, change ReservationChange) error {
	body := map[string]any{}
	putText(body, "name", change.Name)
	putText(body, "description", change.Description)
	putText(body, "type", change.Type)
	k := ofClient("update", http.MethodPut, r.ClientID)
	k.body = body
	err := errors.Join(needIPv4("scope", scope), needIPv4("address", r.Addr), needID(r.ClientID))
	if change.Type != nil {
		err = errors.Join(err, needType(*change.Type))
	}
	if len(body) == 0 {
		err = errors.Join(err, errNothing)
	}
	if err != nil {
		return k.invalid(err)
	}
	return c.either(
		func() error { return c.writeEntry(ctx, k, scope, r.Addr, body) },
		func() error { return c.write(ctx, k) })
}

// DeleteReservation ends the reservation that an address of a scope has.
func (c *Client) DeleteReservation(ctx context.Context, scope netip.Addr, r windhcp.Reservation) error {
	k := ofClient("delete", http.MethodDelete, r.ClientID)
	if err := errors.Join(needIPv4("scope", scope), needIPv4("address", r.Addr), needID(r.ClientID)); err != nil {
		return k.invalid(err)
	}
	return c.either(
		func() error { return c.writeEntry(ctx, k, scope, r.Addr, nil) },
		func() error { return c.write(ctx, k) })
}

func ofClient(verb, method string, id windhcp.ClientID) call {
	return call{op: verb + " reservation of " + string(id), method: method, path: "reservations/" + string(id), class: "reservations/:client_id"}
}

// CreateExclusion keeps a span of a scope from being handed out. Windows
// refuses one that overlaps another.
func (c *Client) CreateExclusion(ctx context.Context, scope netip.Addr, e windhcp.Exclusion) error {
	return c.exclusion(ctx, "create", http.MethodPost, scope, e)
}

// DeleteExclusion removes the exclusion of exactly this span.
func (c *Client) DeleteExclusion(ctx context.Context, scope netip.Addr, e windhcp.Exclusion) error {
	return c.exclusion(ctx, "delete", http.MethodDelete, scope, e)
}

func (c *Client) exclusion(ctx context.Context, verb, method string, scope netip.Addr, e windhcp.Exclusion) error {
	k := call{op: fmt.Sprintf("%s exclusion %s to %s", verb, e.Start, e.End), method: method, path: "exclusions", class: "exclusions"}
	err := errors.Join(needIPv4("scope", scope), needIPv4("start", e.Start), needIPv4("end", e.End))
	if err == nil && e.End.Less(e.Start) {
		err = fmt.Errorf("end %s is below start %s", e.End, e.Start)
	}
	if err != nil {
		return k.invalid(err)
	}
	k.body = map[string]any{"scope_id": scope.String(), "start_ip": e.Start.String(), "end_ip": e.End.String()}
	return c.write(ctx, k)
}

var errNothing = errors.New("nothing to change")

func (k call) invalid(err error) error { return &Error{Kind: Invalid, Op: k.op, Err: err} }

// The server's own checks cannot be relied on (rule 1.4 quirk 7), so
// nothing is sent that would not be understood.

func needIPv4(what string, addr netip.Addr) error {
	if !addr.Is4() || addr.IsUnspecified() {
		return fmt.Errorf("%s %s is no IPv4 address", what, addr)
	}
	return nil
}

func needID(id windhcp.ClientID) error {
	if !id.Canonical() {
		return fmt.Errorf("client id %s is not made of hex pairs", quote(string(id)))
	}
	return nil
}

func needType(name string) error {
	switch name {
	case "Dhcp", "Bootp", "Both":
		return nil
	}
	return fmt.Errorf("type %s is not Dhcp, Bootp or Both", quote(name))
}

func checkScope(s windhcp.Scope) error {
	if !s.Subnet.IsValid() || !s.Subnet.Addr().Is4() || s.Subnet.Masked() != s.Subnet {
		return fmt.Errorf("%s is no IPv4 network", s.Subnet)
	}
	for _, addr := range []netip.Addr{s.Start, s.End} {
		if !s.Subnet.Contains(addr) {
			return fmt.Errorf("%s is not in %s", addr, s.Subnet)
		}
	}
	if s.End.Less(s.Start) {
		return fmt.Errorf("end %s is below start %s", s.End, s.Start)
	}
	if s.Router.IsValid() {
		return needIPv4("router", s.Router)
	}
	return nil
}

func putText(body map[string]any, key string, value *string) {
	if value != nil {
		body[key] = *value
	}
}

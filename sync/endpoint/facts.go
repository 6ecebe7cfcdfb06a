package endpoint

import (
	"net/netip"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// The decoders of the shapes of rule 1.3. The first name of each
// value is the script's, the others are those of the cmdlets.

func decodeScope(r *record) windhcp.Scope {
	s := windhcp.Scope{
		Subnet:      subnet(r, r.needAddr("scope_id", "network_address"), r.needAddr("subnet_mask")),
		Name:        r.text("name"),
		Start:       r.addr("start_ip", "start_range"),
		End:         r.addr("end_ip", "end_range"),
		Description: r.text("description"),
		State:       r.text("state"),
		Router:      r.addr("router"),
		Failover:    r.text("failover_name"),
	}
	if secs, ok := r.seconds("lease_duration_seconds", "lease_duration"); ok {
		s.LeaseSeconds = min(secs, windhcp.Unlimited)
		if secs <= 0 {
			s.LeaseSeconds = windhcp.Unlimited
		}
	}
	if s.Router.IsUnspecified() {
		s.Router = netip.Addr{}
	}
	return s
}

// subnet makes a prefix of a network address and a mask.
func subnet(r *record, id, mask netip.Addr) netip.Prefix {
	if !id.IsValid() || !mask.IsValid() {
		return netip.Prefix{}
	}
	bits, ok := maskBits(mask)
	prefix := netip.PrefixFrom(id, bits)
	if !ok || prefix.Masked() != prefix {
		r.fail("scope_id %s with subnet_mask %s is no network", id, mask)
		return netip.Prefix{}
	}
	return prefix
}

// maskBits counts the ones of a mask; false if they are not all in front, or
// if there are none.
func maskBits(mask netip.Addr) (int, bool) {
	bits := 0
	for _, b := range mask.As4() {
		for i := 7; i >= 0 && b&(1<<i) != 0; i-- {
			bits++
		}
	}
	prefix, err := netip.AddrFrom4([4]byte{255, 255, 255, 255}).Prefix(bits)
	return bits, err == nil && bits > 0 && prefix.Addr() == mask
}

// maskOf is the opposite of maskBits.
func maskOf(bits int) netip.Addr {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), bits).Masked().Addr()
}

func decodeLease(r *record) windhcp.Lease {
	return windhcp.Lease{
		Addr:     r.needAddr("ip_address"),
		ClientID: windhcp.ParseClientID(r.text("client_id")),
		Hostname: r.text("hostname"),
		Expires:  r.moment("lease_expiry", "lease_expiry_time"),
		State:    r.text("address_state"),
	}
}

func decodeReservation(r *record) windhcp.Reservation {
	return windhcp.Reservation{
		Addr:        r.needAddr("ip_address"),
		ClientID:    windhcp.ParseClientID(r.text("client_id")),
		Name:        r.text("name"),
		Description: r.text("description"),
		Type:        r.text("type"),
	}
}

func decodeExclusion(r *record) windhcp.Exclusion {
	e := windhcp.Exclusion{Start: r.needAddr("start_ip", "start_range"), End: r.needAddr("end_ip", "end_range")}
	if len(r.wrong) == 0 && e.End.Less(e.Start) {
		r.fail("end_ip %s is below start_ip %s", e.End, e.Start)
	}
	return e
}

func decodeOption(r *record) windhcp.Option {
	o := windhcp.Option{
		Code:        int(r.number("code", "option_id")),
		Name:        r.text("name"),
		Values:      r.texts("value"),
		Type:        r.text("type"),
		VendorClass: r.text("vendor_class"),
		UserClass:   r.text("user_class"),
		Policy:      r.text("policy", "policy_name"),
		ClassesTold: r.has("user_class") && r.has("policy", "policy_name"),
	}
	if len(r.wrong) == 0 && (o.Code < 1 || o.Code > 255) {
		r.fail("no option code from 1 to 255")
	}
	return o
}

func decodeFailover(r *record) windhcp.Failover {
	f := windhcp.Failover{
		Name:      r.text("name"),
		Primary:   r.text("primary_server", "primary_server_name"),
		Secondary: r.text("secondary_server", "secondary_server_name", "partner_server"),
		Mode:      r.text("mode"),
		Auth:      r.flag("enable_auth"),
	}
	f.MaxClientLeadTime, _ = r.seconds("max_client_lead_time")
	f.MaxResponseDelay, _ = r.seconds("max_response_delay")
	if secs, ok := r.seconds("state_switchover_interval", "auto_state_transition_interval", "state_switch_interval"); ok {
		f.StateSwitchover = &secs
	}
	for _, text := range r.texts("scope_ids", "scope_id") {
		id, err := parseIPv4(text)
		if err != nil {
			r.fail("scope_ids holds %w", err)
			continue
		}
		f.Scopes = append(f.Scopes, id)
	}
	if f.Name == "" {
		r.fail("no name")
	}
	return f
}

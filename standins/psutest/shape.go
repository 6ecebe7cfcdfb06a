package psutest

import (
	"fmt"
	"strings"
)

// list writes a list in the shape the configuration asks for.
func (c *request) list(out []entry) reply {
	if out == nil {
		out = []entry{}
	}
	if c.fault != nil {
		out = c.fault.damage(out)
	}
	shape := c.config.Shape
	if shape.Pascal {
		for i, e := range out {
			out[i] = pascal(e)
		}
	}
	answer := returned(out)
	switch {
	case shape.Bare && len(out) == 1:
		answer = returned(out[0])
	case shape.Counted:
		answer = returned(map[string]any{"value": out, "Count": len(out)})
	}
	if shape.BOM {
		answer.body = append([]byte("\xef\xbb\xbf"), answer.body...)
	}
	return answer
}

// pascal rewrites an entry as scripts do that pass on what the cmdlets say.
func pascal(e entry) entry {
	names := map[string]string{
		"scope_id": "ScopeId", "name": "Name", "start_ip": "StartRange", "end_ip": "EndRange", "subnet_mask": "SubnetMask",
		"router": "Router", "lease_duration_seconds": "LeaseDuration", "failover_name": "FailoverName", "ip_address": "IPAddress",
		"client_id": "ClientId", "hostname": "HostName", "lease_expiry": "LeaseExpiry", "code": "OptionId", "value": "Value",
		"vendor_class": "VendorClass", "primary_server": "PrimaryServer", "secondary_server": "SecondaryServer", "mode": "Mode",
		"max_client_lead_time": "MaxClientLeadTime", "max_response_delay": "MaxResponseDelay",
		"state_switchover_interval": "AutoStateTransitionInterval", "enable_auth": "EnableAuth", "scope_ids": "ScopeId",
		"description": "Description", "state": "State", "address_state": "AddressState", "type": "Type",
	}
	out := entry{}
	for key, value := range e {
		switch v := value.(type) {
		case int64:
			value = timespan(v)
		case int:
			value = fmt.Sprint(v)
		case bool:
			value = strings.ToUpper(fmt.Sprint(v)[:1]) + fmt.Sprint(v)[1:]
		}
		out[names[key]] = value
	}
	return out
}

// timespan writes seconds as .NET does: 8.00:00:00.
func timespan(secs int64) string {
	clock := fmt.Sprintf("%02d:%02d:%02d", secs/3600%24, secs/60%60, secs%60)
	if days := secs / 86400; days > 0 {
		return fmt.Sprintf("%d.%s", days, clock)
	}
	return clock
}

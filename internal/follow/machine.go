package follow

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// MachineFields reads custom fields of a machine as they are now, for the
// redeploy switch. Names that do not exist as a field are not in the
// result. It asks once, without waiting for a slot, and ends with ctx: a DHCP
// client waits for the answer.
func MachineFields(ctx context.Context, c *netbox.Client, id ipam.MachineID, names []string) (map[string]json.RawMessage, error) {
	table := machinesOf(id.Kind)
	query := url.Values{"fields": {"id,custom_fields"}, "exclude": {"config_context"}, "omit": {"config_context"}}
	raw, err := c.ReadNow(ctx, table, id.ID, query)
	if err != nil {
		return nil, fmt.Errorf("read custom fields of %s %d: %w", id.Kind, id.ID, err)
	}
	var machine struct {
		CustomFields map[string]json.RawMessage `json:"custom_fields"`
	}
	if err := json.Unmarshal(raw, &machine); err != nil || machine.CustomFields == nil {
		return nil, fmt.Errorf("read custom fields of %s %d: %w", id.Kind, id.ID, &netbox.Error{Kind: netbox.NotNetBox, Op: "read " + string(table), Message: "the answer has no custom fields"})
	}
	return pick(machine.CustomFields, names), nil
}

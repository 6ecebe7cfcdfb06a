package netbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// MachineFields reads custom fields of a machine as they are now, for the
// redeploy switch. Names that do not exist as a field are not in the
// result. It asks once, past all queues, and ends with ctx: the caller waits
// with a client on the line.
func (c *Client) MachineFields(ctx context.Context, id ipam.MachineID, names []string) (map[string]json.RawMessage, error) {
	e := machinesOf(id.Kind)
	query := url.Values{"fields": {"id,custom_fields"}, "exclude": {"config_context"}, "omit": {"config_context"}}
	got, err := c.once(ctx, http.MethodGet, e, number(id.ID)+"/", query, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("read custom fields of %s %d: %w", id.Kind, id.ID, err)
	}
	var machine struct {
		ID           int64                      `json:"id"`
		CustomFields map[string]json.RawMessage `json:"custom_fields"`
	}
	if err := json.Unmarshal(got.body, &machine); err != nil || machine.ID != id.ID || machine.CustomFields == nil {
		return nil, fmt.Errorf("read custom fields of %s %d: %w", id.Kind, id.ID, notNetBox(got, http.MethodGet, e))
	}
	return pick(machine.CustomFields, names), nil
}

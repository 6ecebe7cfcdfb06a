package ipam

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// parseRoute reads one entry of static_routes: {"destination", "gateway"} or
// "10.1.0.0/16,10.0.0.1". Host bits in the destination are cleared.
func parseRoute(raw json.RawMessage) (Route, error) {
	var object struct{ Destination, Gateway string }
	var text string
	if json.Unmarshal(raw, &text) == nil {
		var ok bool
		object.Destination, object.Gateway, ok = strings.Cut(text, ",")
		if !ok {
			return Route{}, errors.New(`want "destination,gateway"`)
		}
	} else if err := json.Unmarshal(raw, &object); err != nil {
		return Route{}, errors.New("want destination and gateway")
	}
	destination, err := netip.ParsePrefix(strings.TrimSpace(object.Destination))
	if err != nil || !destination.Addr().Is4() {
		return Route{}, fmt.Errorf("destination %.40q is no IPv4 prefix", object.Destination)
	}
	gateway, err := netip.ParseAddr(strings.TrimSpace(object.Gateway))
	if err != nil || !gateway.Is4() {
		return Route{}, fmt.Errorf("gateway %.40q is no IPv4 address", object.Gateway)
	}
	return Route{Destination: destination.Masked(), Gateway: gateway}, nil
}

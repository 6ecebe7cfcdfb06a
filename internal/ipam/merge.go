package ipam

import "encoding/json"

// MergeConfig lays a config context of higher weight over a lower one as
// NetBox does (netbox-api.md 1.12): objects merge recursively, everything else
// replaces, and so does an empty object. A nil value is an absent one.
func MergeConfig(lower, higher json.RawMessage) json.RawMessage {
	if higher == nil {
		return lower
	}
	var low, high map[string]json.RawMessage
	if json.Unmarshal(lower, &low) != nil || json.Unmarshal(higher, &high) != nil || len(low) == 0 || len(high) == 0 {
		return higher
	}
	for key, value := range high {
		low[key] = MergeConfig(low[key], value)
	}
	merged, err := json.Marshal(low)
	if err != nil {
		return higher // cannot happen: both sides were valid JSON
	}
	return merged
}

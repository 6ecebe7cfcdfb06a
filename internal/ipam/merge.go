package ipam

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// MergeConfig lays the value of one config context over that of another of
// lower weight, as NetBox renders them: objects merge key by key at any depth,
// everything else replaces, lists, null and an empty object included. A value
// that is nil or no JSON says nothing, so that an error in one context does
// not void the others (G-7). Neither argument is changed.
func MergeConfig(lower, higher json.RawMessage) json.RawMessage {
	over, err := decodeJSON(higher)
	if err != nil {
		return lower
	}
	under, err := decodeJSON(lower)
	if err != nil {
		return higher
	}
	merged, err := json.Marshal(mergeValues(under, over))
	if err != nil {
		return higher
	}
	return merged
}

// mergeValues returns over laid over under, reusing the objects of under.
func mergeValues(under, over any) any {
	keys, ok := over.(map[string]any)
	base, both := under.(map[string]any)
	if !ok || !both || len(keys) == 0 {
		return over
	}
	for key, value := range keys {
		if old, present := base[key]; present {
			value = mergeValues(old, value)
		}
		base[key] = value
	}
	return base
}

// decodeJSON reads one JSON value and keeps numbers as they are written.
func decodeJSON(raw json.RawMessage) (value any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return value, nil
}

package follow

import (
	"encoding/json"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

func gate(name, value string) map[string]json.RawMessage {
	return map[string]json.RawMessage{name: json.RawMessage(value)}
}

func prefixesByID(list ...*ipam.Prefix) map[int64]*ipam.Prefix {
	m := make(map[int64]*ipam.Prefix)
	for _, p := range list {
		m[p.ID] = p
	}
	return m
}

// addressesByHost gives each address a key of its own until its id is known.
func addressesByHost(list ...*ipam.Address) map[int64]*ipam.Address {
	m := make(map[int64]*ipam.Address)
	for i, a := range list {
		m[-int64(i+1)] = a
	}
	return m
}

func byAddressID(from map[int64]*ipam.Address) map[int64]*ipam.Address {
	m := make(map[int64]*ipam.Address)
	for _, a := range from {
		m[a.ID] = a
	}
	return m
}

// compact spells the JSON texts in one way: blanks and the order of keys
// differ between servers.
func compact(t *testing.T, o *ipam.Objects) {
	t.Helper()
	squeeze := func(raw json.RawMessage) json.RawMessage {
		if raw == nil {
			return nil
		}
		var value any
		if err := json.Unmarshal(raw, &value); err != nil {
			t.Fatal(err)
		}
		spelled, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return spelled
	}
	for _, m := range o.Machines {
		m.Context = squeeze(m.Context)
	}
	for _, c := range o.Contexts {
		c.Data = squeeze(c.Data)
	}
}

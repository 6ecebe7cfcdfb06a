package netbox

import (
	"bytes"
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

// compact takes the blanks out of the JSON texts, whose spelling differs
// between servers.
func compact(t *testing.T, o *ipam.Objects) {
	t.Helper()
	squeeze := func(raw json.RawMessage) json.RawMessage {
		if raw == nil {
			return nil
		}
		var b bytes.Buffer
		if err := json.Compact(&b, raw); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for _, m := range o.Machines {
		m.Context = squeeze(m.Context)
	}
	for _, c := range o.Contexts {
		c.Data = squeeze(c.Data)
	}
}

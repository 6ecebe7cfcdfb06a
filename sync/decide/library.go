package decide

import (
	"bytes"
	"encoding/json"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/canonjson"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// LibraryContext is a config context of the option library, which bootstrap
// makes.
type LibraryContext struct {
	Name, Description string
	Data              json.RawMessage
	// Complete adds what an existing context lacks; nil: nothing ever.
	Complete func(have json.RawMessage) json.RawMessage
}

// Library lists the contexts of the option library. Built-in definitions that
// an operator deleted come back; renamed ones stay as they are
// (rule 9 row 6, rule 9 row 7).
func Library() []LibraryContext {
	return []LibraryContext{
		{
			Name: plan.CodesContext, Description: "Names and types of DHCP options",
			Data: completeCodes(json.RawMessage(`{}`)), Complete: completeCodes,
		},
		{
			Name: plan.ValuesContext, Description: "Values of DHCP options that scopes share",
			Data: json.RawMessage(`{"windows_dhcp":{"option_values":[]}}`),
		},
	}
}

func completeCodes(have json.RawMessage) json.RawMessage {
	var known contextData
	if json.Unmarshal(have, &known) != nil {
		return have // not the mirror's to repair
	}
	defined := make(map[int]bool)
	for _, d := range known.WindowsDHCP.OptionCodes {
		if d.VendorClass == "" {
			defined[d.Code] = true
		}
	}
	var added []any
	for _, d := range windhcp.BuiltInOptions() {
		if !defined[d.Code] {
			added = append(added, optionDefinition{Code: d.Code, Name: d.Name, Type: d.Type, BuiltIn: true})
		}
	}
	if len(added) == 0 {
		return have
	}
	return appended(have, "option_codes", added)
}

// appended adds entries to a list of a context's data. Everything else in it
// stays as the operator made it.
func appended(data json.RawMessage, list string, added []any) json.RawMessage {
	doc, ours := make(map[string]any), make(map[string]any)
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // numbers that are not the mirror's keep their digits
	if d.Decode(&doc) == nil {
		ours, _ = doc["windows_dhcp"].(map[string]any)
	}
	if ours == nil {
		ours = make(map[string]any)
	}
	have, _ := ours[list].([]any)
	ours[list] = append(have, added...)
	doc["windows_dhcp"] = ours
	return canonjson.Of(doc)
}

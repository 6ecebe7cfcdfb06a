package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Category is the result of an import for one sort of things, each listed
// (windows-dhcp.md 4).
type Category struct {
	Name    string   `json:"name"`
	Created []string `json:"created"`
	Skipped []string `json:"skipped"` // NetBox has it, or it is not imported from here
	Errors  []string `json:"errors"`  // with the reason
}

// The categories of an import, in their order.
const (
	ImportedFailovers = iota
	ImportedScopes
	ImportedOptions
	ImportedExclusions
)

func FailoverTitle(name string) string { return "failover " + name }

// ImportFailed corrects the result of an import for a step that was not carried
// out: what it would have made is an error. Scopes of several sources in one
// subnet share a fate.
func (p *Plan) ImportFailed(s *Step, why string) {
	within := ""
	switch {
	case s.Kind == state.ConfigContext && strings.HasPrefix(s.Name, FailoverContext):
		within = FailoverTitle(strings.TrimPrefix(s.Name, FailoverContext))
	case s.Kind == state.IPRange:
		within = fmt.Sprintf("scope %s of ", s.Scope)
	default:
		return
	}
	for i := range p.Imported {
		c := &p.Imported[i]
		failed := func(text string) bool {
			return text == within || s.Kind == state.IPRange && strings.Contains(text, within)
		}
		for _, text := range c.Created {
			if failed(text) {
				c.Errors = append(c.Errors, text+": "+why)
			}
		}
		c.Created = slices.DeleteFunc(c.Created, failed)
	}
}

package decide

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// panelRow is a scope in the table of its prefix.
type panelRow struct {
	Name         string
	Source       plan.Source
	Start, End   netip.Addr
	Router       string
	LeaseSeconds int64 // 0: not known
	State        string
	Exclusions   []windhcp.Exclusion
}

// panel is the Markdown table of the scopes of a prefix, in the order of their
// addresses, for the custom field dhcp_scopes (rule 9 row 15). No scopes is no
// table. Names are text in their cell: no character of them is Markdown.
func panel(scopes []panelRow) string {
	if len(scopes) == 0 {
		return ""
	}
	scopes = slices.Clone(scopes)
	slices.SortStableFunc(scopes, func(a, b panelRow) int {
		return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End),
			cmp.Compare(a.Source.String(), b.Source.String()), cmp.Compare(a.Name, b.Name))
	})
	var b strings.Builder
	b.WriteString("| Scope | Source | Range | Router | Lease time | State | Exclusions |")
	b.WriteString("\n| --- | --- | --- | --- | --- | --- | --- |")
	for _, s := range scopes {
		lifetime := "unknown"
		if s.LeaseSeconds > 0 {
			lifetime = windhcp.FormatLifetime(s.LeaseSeconds)
		}
		fmt.Fprintf(&b, "\n| %s | %s | %s | %s | %s | %s | %s |", cell(s.Name), cell(s.Source.String()),
			spanText(s.Start, s.End), cell(s.Router), lifetime, cell(s.State), exclusionsText(s.Exclusions))
	}
	return b.String()
}

func exclusionsText(list []windhcp.Exclusion) string {
	list = slices.SortedFunc(slices.Values(list), windhcp.Exclusion.Compare)
	texts := make([]string, len(list))
	for i, x := range list {
		texts[i] = spanText(x.Start, x.End)
	}
	return strings.Join(texts, ", ")
}

func spanText(start, end netip.Addr) string {
	if start == end {
		return start.String()
	}
	return start.String() + "-" + end.String()
}

// cell writes text that Markdown shows as it is. A character that Markdown or its
// search for links could read as a sign is written as a character reference.
func cell(s string) string {
	var b strings.Builder
	for _, r := range strings.TrimSpace(printable.Text(s)) {
		www := r == '.' && strings.HasSuffix(strings.ToLower(b.String()), "www")
		if www || strings.ContainsRune("\\`*_{}[]<>|~&#!\"'$^=:@", r) {
			fmt.Fprintf(&b, "&#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

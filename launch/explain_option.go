package launch

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/option"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/receive"
)

// explainedOption says where one option comes from (OPT-13).
type explainedOption struct {
	Code      uint8    `json:"code"`
	Name      string   `json:"name,omitempty"`
	Source    string   `json:"source"`
	Forced    bool     `json:"forced,omitempty"`
	Overrides []string `json:"overrides,omitempty"`
	NotSent   string   `json:"not_sent,omitempty"` // why it is not in the reply
}

// explainOptions says where the options of a reply come from, and what became of
// those of config contexts that are not in it.
func explainOptions(out receive.Outcome) []explainedOption {
	byCode := make(map[uint8]explainedOption)
	for _, s := range out.Exchange.Sources {
		byCode[s.Code] = explainedOption{Code: s.Code, Name: option.Name(s.Code), Source: s.Text, NotSent: lost(out, s.Code)}
	}
	for _, c := range out.Exchange.Options {
		e := explainedOption{Code: c.Code, Name: option.Name(c.Code), Source: c.Source, Forced: c.Force, Overrides: c.Overrides, NotSent: lost(out, c.Code)}
		if value := out.Reply.Options.Get(dhcpv4.GenericOptionCode(c.Code)); e.NotSent == "" && !bytes.Equal(value, c.Value) {
			e.NotSent = "a later plugin replaced it"
		}
		if later, replaced := byCode[c.Code]; replaced && e.NotSent != "" {
			later.Overrides = append([]string{"what was to come of " + e.Source}, e.Overrides...)
			e = later
		}
		byCode[c.Code] = e
	}
	list := slices.Collect(maps.Values(byCode))
	slices.SortFunc(list, func(a, b explainedOption) int { return int(a.Code) - int(b.Code) })
	return list
}

// lost says why the reply lacks an option that it was given; "" if it has it.
func lost(out receive.Outcome, code uint8) string {
	switch {
	case out.Reply.Options.Has(dhcpv4.GenericOptionCode(code)):
		return ""
	case slices.ContainsFunc(out.LeftOut(), func(left dhcpv4.OptionCode) bool { return left.Code() == code }):
		return "the reply is too big for the client"
	}
	return "a later plugin took it away"
}

// printOptions writes a line an option.
func printOptions(t io.Writer, list []explainedOption) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintln(t, "\noptions come from\t")
	for _, e := range list {
		fmt.Fprintf(t, "  option %3d %s\t%s\n", e.Code, e.Name, e.words())
	}
}

// words says where the option comes from, and what became of it.
func (e explainedOption) words() string {
	words := e.Source
	if e.Forced {
		words += ", forced"
	}
	if len(e.Overrides) > 0 {
		words += "; overrides " + strings.Join(e.Overrides, ", ")
	}
	if e.NotSent != "" {
		words += "; not sent: " + e.NotSent
	}
	return words
}

package plan

import (
	"fmt"
	"io"
	"maps"
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
	failoverCategory = iota
	scopeCategory
	optionCategory
	exclusionCategory
)

// importResult sorts what servers told by what becomes of it.
func (b *builder) importResult() []Category {
	result := []Category{{Name: "failover relationships"}, {Name: "scopes"}, {Name: "option values"}, {Name: "exclusions"}}
	b.importedFailovers(&result[failoverCategory])
	known := make(map[scopeOf]*unit)
	for _, u := range b.units {
		known[scopeOf{b.host(u.server), u.scope.Subnet.String()}] = u
	}
	b.importedScopes(&result[scopeCategory], known)
	for _, u := range b.units {
		b.importedContent(&result[optionCategory], &result[exclusionCategory], u)
	}
	for i := range result {
		for _, list := range []*[]string{&result[i].Created, &result[i].Skipped, &result[i].Errors} {
			*list = append([]string{}, *list...) // never null for other programs
		}
	}
	return result
}

// scopeOf is a scope on a server.
type scopeOf struct{ host, subnet string }

func (b *builder) importedFailovers(c *Category) {
	for i := range b.in.Windows {
		if s := &b.in.Windows[i]; s.Scopes.Err == nil && s.Failovers.Err != nil {
			c.Errors = append(c.Errors, fmt.Sprintf("those of %s: %v", s.Host, s.Failovers.Err))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(b.relationships)) {
		switch rel := b.relationships[id]; {
		case rel.reported == nil:
		case rel.context != nil:
			c.Skipped = append(c.Skipped, failoverTitle(rel.name))
		case rel.problem != "":
			c.Errors = append(c.Errors, failoverTitle(rel.name)+": "+rel.problem)
		default:
			c.Created = append(c.Created, failoverTitle(rel.name))
		}
	}
}

func failoverTitle(name string) string { return "failover " + name }

func (b *builder) importedScopes(c *Category, known map[scopeOf]*unit) {
	for i := range b.in.Windows {
		switch s := &b.in.Windows[i]; {
		case s.Scopes.Err != nil:
			c.Errors = append(c.Errors, fmt.Sprintf("those of %s: %v", s.Host, s.Scopes.Err))
		case len(s.Scopes.Malformed) > 0:
			c.Errors = append(c.Errors, fmt.Sprintf("%d of %s cannot be used: %s", len(s.Scopes.Malformed), s.Host, s.Scopes.Malformed[0]))
		}
	}
	for _, seen := range b.plan.Scopes {
		title := scopeName(seen.Name, seen.Scope, seen.Source)
		_, placed := known[scopeOf{seen.Server, seen.Scope.String()}]
		switch {
		case !seen.Synced:
			why := title + " on " + seen.Server + ": " + seen.Why
			if b.failedFor(seen) {
				c.Errors = append(c.Errors, why)
			} else {
				c.Skipped = append(c.Skipped, why)
			}
		case !placed:
			c.Errors = append(c.Errors, title+": "+b.whyNotPlaced(seen))
		case seen.Known:
			c.Skipped = append(c.Skipped, title)
		default:
			c.Created = append(c.Created, title)
		}
	}
}

func (b *builder) failedFor(seen ScopeSeen) bool {
	return slices.ContainsFunc(b.notes, func(n Note) bool {
		return n.Level == Failure && n.Server == seen.Server && n.Scope == seen.Scope && n.Text == seen.Why
	})
}

// whyNotPlaced finds the note about a scope that is not recorded.
func (b *builder) whyNotPlaced(seen ScopeSeen) string {
	for _, n := range b.notes {
		if n.Rule == "4 step 2" && n.Scope == seen.Scope && (n.Server == "" || n.Server == seen.Server) {
			return n.Text
		}
	}
	return "it is not recorded"
}

// importedContent lists the options of a new scope, and the exclusions of any.
func (b *builder) importedContent(options, exclusions *Category, u *unit) {
	title := scopeName(u.want.Name, u.want.Subnet, u.want.Source)
	if u.rec == nil {
		if err := u.part.Options.Err; err != nil {
			options.Errors = append(options.Errors, fmt.Sprintf("those of %s: %v", title, err))
		}
		for _, text := range u.part.Options.Malformed {
			options.Errors = append(options.Errors, fmt.Sprintf("one of %s: %s", title, text))
		}
		for _, o := range u.want.Options {
			options.Created = append(options.Created, fmt.Sprintf("%s in %s", o, title))
		}
	}
	if err := u.part.Exclusions.Err; err != nil {
		exclusions.Errors = append(exclusions.Errors, fmt.Sprintf("those of %s: %v", title, err))
	}
	for _, text := range u.part.Exclusions.Malformed {
		exclusions.Errors = append(exclusions.Errors, fmt.Sprintf("one of %s, so none is recorded: %s", title, text))
	}
	if !u.part.Exclusions.Complete() {
		return
	}
	for _, x := range union(nil, u.part.Exclusions.Items) {
		text := fmt.Sprintf("%s-%s in %s", x.Start, x.End, title)
		if u.rec != nil && slices.Contains(u.rec.Exclusions, x) {
			exclusions.Skipped = append(exclusions.Skipped, text)
		} else {
			exclusions.Created = append(exclusions.Created, text)
		}
	}
}

// String shows an option value as "6: 10.1.1.1".
func (o optionValue) String() string {
	if o.VendorClass != "" {
		return fmt.Sprintf("%d (%s): %s", o.Code, o.VendorClass, o.Value)
	}
	return fmt.Sprintf("%d: %s", o.Code, o.Value)
}

// ImportFailed corrects the result of an import for a step that was not carried
// out: what it would have made is an error. Scopes of several sources in one
// subnet share a fate.
func (p *Plan) ImportFailed(s *Step, why string) {
	within := ""
	switch {
	case s.Kind == state.ConfigContext && strings.HasPrefix(s.Name, failoverContext):
		within = failoverTitle(strings.TrimPrefix(s.Name, failoverContext))
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

// ImportText lists the result of an import for people.
func (p *Plan) ImportText(w io.Writer) error {
	var b strings.Builder
	for _, c := range p.Imported {
		fmt.Fprintf(&b, "%s: %d created, %d skipped, %s\n", c.Name, len(c.Created), len(c.Skipped), plural(len(c.Errors), "error", "errors"))
		for _, part := range []struct {
			sign string
			list []string
		}{{"+", c.Created}, {"=", c.Skipped}, {"!", c.Errors}} {
			for _, text := range part.list {
				fmt.Fprintf(&b, "  %s %s\n", part.sign, Printable(text))
			}
		}
	}
	if b.Len() == 0 {
		return nil
	}
	_, err := io.WriteString(w, "\nResult of the import\n"+b.String())
	return err
}

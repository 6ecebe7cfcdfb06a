package decide

import (
	"fmt"
	"maps"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// importResult sorts what servers told by what becomes of it.
func (b *builder) importResult() []plan.Category {
	result := []plan.Category{{Name: "failover relationships"}, {Name: "scopes"}, {Name: "option values"}, {Name: "exclusions"}}
	b.importedFailovers(&result[plan.ImportedFailovers])
	known := make(map[scopeOf]*unit)
	for _, u := range b.units {
		known[scopeOf{b.host(u.server), u.scope.Subnet.String()}] = u
	}
	b.importedScopes(&result[plan.ImportedScopes], known)
	for _, u := range b.units {
		b.importedContent(&result[plan.ImportedOptions], &result[plan.ImportedExclusions], u)
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

func (b *builder) importedFailovers(c *plan.Category) {
	for i := range b.in.Windows {
		if s := &b.in.Windows[i]; s.Scopes.Err == nil && s.Failovers.Err != nil {
			c.Errors = append(c.Errors, fmt.Sprintf("those of %s: %v", s.Host, s.Failovers.Err))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(b.relationships)) {
		switch rel := b.relationships[id]; {
		case rel.reported == nil:
		case rel.context != nil:
			c.Skipped = append(c.Skipped, plan.FailoverTitle(rel.name))
		case rel.problem != "":
			c.Errors = append(c.Errors, plan.FailoverTitle(rel.name)+": "+rel.problem)
		default:
			c.Created = append(c.Created, plan.FailoverTitle(rel.name))
		}
	}
}

func (b *builder) importedScopes(c *plan.Category, known map[scopeOf]*unit) {
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

func (b *builder) failedFor(seen plan.ScopeSeen) bool {
	return slices.ContainsFunc(b.notes, func(n plan.Note) bool {
		return n.Level == plan.Failure && n.Server == seen.Server && n.Scope == seen.Scope && n.Text == seen.Why
	})
}

// whyNotPlaced finds the note about a scope that is not recorded.
func (b *builder) whyNotPlaced(seen plan.ScopeSeen) string {
	for _, n := range b.notes {
		if n.Rule == "4 step 2" && n.Scope == seen.Scope && (n.Server == "" || n.Server == seen.Server) {
			return n.Text
		}
	}
	return "it is not recorded"
}

// importedContent lists the options of a new scope, and the exclusions of any.
func (b *builder) importedContent(options, exclusions *plan.Category, u *unit) {
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

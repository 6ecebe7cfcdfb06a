package plan

import "slices"

// Category is the result of an import for one sort of things, each listed (rule 4).
type Category struct {
	Name    string   `json:"name"`
	Created []string `json:"created"`
	Skipped []string `json:"skipped"` // NetBox has it, or it is not imported from here
	Errors  []string `json:"errors"`  // with the reason
}

// ImportSort is a sort of things that an import makes: the index of its Category.
type ImportSort int

// The sorts, in their order.
const (
	ImportedFailovers ImportSort = iota
	ImportedScopes
	ImportedOptions
	ImportedExclusions
)

// ImportOutcome is what becomes of one thing that an import came across.
type ImportOutcome int

// The outcomes.
const (
	ImportCreated ImportOutcome = iota + 1
	ImportSkipped
	ImportFailed
	ImportImplied // made for something else, and told only if that fails
)

// ImportItem is one thing that an import came across.
type ImportItem struct {
	Sort    ImportSort
	Outcome ImportOutcome
	Text    string // for people; of a failure with the reason
	Step    int    // the index in Plan.Steps of the step that makes it; -1: none does
}

// SetImported keeps the result of an import and sorts it for people.
func (p *Plan) SetImported(items []ImportItem) {
	p.Imports = items
	p.Imported = nil
	for _, name := range []string{"failover relationships", "scopes", "option values", "exclusions"} {
		// Empty lists, since null means nothing to other programs.
		p.Imported = append(p.Imported, Category{Name: name, Created: []string{}, Skipped: []string{}, Errors: []string{}})
	}
	for _, item := range items {
		c := &p.Imported[item.Sort]
		switch item.Outcome {
		case ImportCreated:
			c.Created = append(c.Created, item.Text)
		case ImportSkipped:
			c.Skipped = append(c.Skipped, item.Text)
		case ImportFailed:
			c.Errors = append(c.Errors, item.Text)
		case ImportImplied:
		}
	}
}

// StepFailed corrects the result of an import for a step, named by its index,
// that was not carried out: what it would have made is an error, told last. It
// does nothing to the plan of another mode.
func (p *Plan) StepFailed(step int, why string) {
	var failed []ImportItem
	rest := slices.DeleteFunc(slices.Clone(p.Imports), func(item ImportItem) bool {
		lost := item.Step == step && (item.Outcome == ImportCreated || item.Outcome == ImportImplied)
		if lost {
			item.Outcome, item.Text = ImportFailed, item.Text+": "+why
			failed = append(failed, item)
		}
		return lost
	})
	if len(failed) > 0 {
		p.SetImported(append(rest, failed...))
	}
}

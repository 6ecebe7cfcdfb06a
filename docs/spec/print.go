package spec

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// width is how wide text is printed, in characters.
const width = 80

// UnknownError says that there is no rule with an id.
type UnknownError struct {
	ID      string
	Nearest []string // ids that begin like it; may be empty
}

func (e *UnknownError) Error() string {
	if len(e.Nearest) == 0 {
		return fmt.Sprintf("there is no rule %.40q; without an id all rules are listed", e.ID)
	}
	return fmt.Sprintf("there is no rule %.40q; near it: %s", e.ID, strings.Join(e.Nearest, ", "))
}

// Print writes the rule with an id, or without one the list of all rules, for
// people or as JSON. It returns an *UnknownError if there is no such rule.
func Print(w io.Writer, id string, asJSON bool) error {
	if strings.TrimSpace(id) == "" {
		return printAll(w, asJSON)
	}
	r, ok := Lookup(id)
	if !ok {
		return &UnknownError{ID: id, Nearest: Nearest(id)}
	}
	if asJSON {
		return printJSON(w, r)
	}
	_, err := fmt.Fprintf(w, "%s\nrule %s\n\n%s\n\ndocs/spec/%s#%s\n", r.Title, r.ID, r.Plain(width), r.Page, r.Anchor())
	return err
}

func printAll(w io.Writer, asJSON bool) error {
	if asJSON {
		return printJSON(w, all())
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range all() {
		fmt.Fprintf(t, "%s\t%s\n", r.ID, r.Title)
	}
	return t.Flush()
}

func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

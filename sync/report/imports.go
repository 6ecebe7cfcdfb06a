package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// ImportText lists the result of an import for people; dry: of one that only
// showed what it would do.
func ImportText(w io.Writer, p *plan.Plan, dry bool) error {
	var b strings.Builder
	title, created := "Result of the import", "created"
	if dry {
		title, created = "An import would have this result", "would be created"
	}
	for _, c := range p.Imported {
		fmt.Fprintf(&b, "%s: %d %s, %d skipped, %s\n", c.Name, len(c.Created), created, len(c.Skipped), printable.Count(len(c.Errors), "error", "errors"))
		for _, part := range []struct {
			sign string
			list []string
		}{{"+", c.Created}, {"=", c.Skipped}, {"!", c.Errors}} {
			for _, text := range part.list {
				fmt.Fprintf(&b, "  %s %s\n", part.sign, printable.Text(text))
			}
		}
	}
	if b.Len() == 0 {
		return nil
	}
	_, err := io.WriteString(w, "\n"+title+"\n"+b.String())
	return err
}

package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// ImportText lists the result of an import for people.
func ImportText(w io.Writer, p *plan.Plan) error {
	var b strings.Builder
	for _, c := range p.Imported {
		fmt.Fprintf(&b, "%s: %d created, %d skipped, %s\n", c.Name, len(c.Created), len(c.Skipped), printable.Count(len(c.Errors), "error", "errors"))
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
	_, err := io.WriteString(w, "\nResult of the import\n"+b.String())
	return err
}

package drift

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/report"
)

// longValue is how many characters of a value a table in a terminal shows; the
// other forms have all of it.
const longValue = 36

// Text writes the report as tables for a terminal. The error is that of w.
func (r *Report) Text(w io.Writer) error {
	var out bytes.Buffer
	if len(r.Differences) > 0 {
		rows := [][]string{{"SCOPE", "A RUN WOULD", "OBJECT", "FIELD", "NETBOX", "WINDOWS", "AFTER", "WHY"}}
		for i := range r.Differences {
			rows = append(rows, r.Differences[i].textRows()...)
		}
		writeTable(&out, "Differences", rows)
	}
	if len(r.Violations) > 0 {
		rows := [][]string{{"ADDRESS", "VRF", "PROBLEM"}}
		for _, v := range r.Violations {
			rows = append(rows, []string{v.Address, figure(v.VRF), v.Text})
		}
		writeTable(&out, "Addresses with a status no scope accepts", rows)
	}
	if len(r.Notes) > 0 {
		rows := [][]string{{"LEVEL", "SERVER", "SCOPE", "ADDRESS", "NOTE", "RULE"}}
		for _, n := range r.Notes {
			rows = append(rows, []string{string(n.Level), n.Server, shown(n.Scope), shown(n.Address), n.Text, n.Rule})
		}
		writeTable(&out, "Notes", rows)
	}
	if len(r.Scopes) > 0 {
		rows := [][]string{{"SCOPE", "NAME", "VRF", "SOURCE", "LEASES", "RESERVATIONS", "DIFFERENCES", "STATE"}}
		for _, s := range r.Scopes {
			rows = append(rows, []string{s.Scope, cut(s.Name), figure(s.VRF), s.Source, strconv.Itoa(s.Leases), strconv.Itoa(s.Reservations),
				strconv.Itoa(s.Differences), s.State()})
		}
		writeTable(&out, "Scopes", rows)
	}
	fmt.Fprintln(&out, r.Summary)
	_, err := w.Write(out.Bytes())
	return err
}

// textRows are a row for each field; what is the same in all stands in the
// first only.
func (d *Difference) textRows() [][]string {
	rows := [][]string{{d.Scope, d.verb(), cut(d.Object), "", "", "", "", report.Because(d.Why, d.Rule)}}
	for i, f := range d.Fields {
		if i > 0 {
			rows = append(rows, make([]string, len(rows[0])))
		}
		row := rows[i]
		if i == 0 || d.Fields[i-1].Name != f.Name {
			row[3] = f.Name
		}
		row[4], row[5], row[6] = cut(f.NetBox), cut(f.Windows), cut(f.After)
		for j := range row[4:7] {
			if row[4+j] == "" {
				row[4+j] = "-"
			}
		}
	}
	return rows
}

// State says whether a scope is compared, and why not.
func (s Scope) State() string {
	switch {
	case s.Why != "":
		return s.Why
	case s.Synced:
		return "compared"
	}
	return "not compared"
}

// shown writes a network or an address; empty: there is none.
func shown(v interface {
	IsValid() bool
	String() string
}) string {
	if !v.IsValid() {
		return ""
	}
	return v.String()
}

// figure writes an id; 0 is none.
func figure(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}

// cut shortens a value for a terminal.
func cut(s string) string {
	runes := []rune(printable.Text(s))
	if len(runes) > longValue {
		return string(runes[:longValue-3]) + "..."
	}
	return string(runes)
}

func writeTable(out *bytes.Buffer, title string, rows [][]string) {
	fmt.Fprintf(out, "%s\n", title)
	var table bytes.Buffer
	t := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for _, c := range row {
			// A last cell without a tab keeps its length to itself.
			fmt.Fprint(t, printable.Text(c), "\t")
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		panic(err) // a buffer takes everything
	}
	for line := range strings.Lines(table.String()) {
		fmt.Fprintf(out, "  %s\n", strings.TrimRight(line, " \n"))
	}
	fmt.Fprintln(out)
}

// CSV writes one row for each differing field, violation and note, with a row
// of names first. Cells that a spreadsheet would take for a formula have an
// apostrophe in front. The error is that of w.
func (r *Report) CSV(w io.Writer) error {
	rows := [][]string{{"record", "target", "action", "scope", "scope_name", "vrf", "address", "object", "id",
		"field", "netbox", "windows", "after", "rule", "text"}}
	for _, d := range r.Differences {
		fields := d.Fields
		if len(fields) == 0 {
			fields = []Field{{}}
		}
		for _, f := range fields {
			rows = append(rows, []string{"difference", d.Target, string(d.Action), d.Scope, d.ScopeName, figure(d.VRF), d.Address, d.Object, figure(d.ID),
				f.Name, f.NetBox, f.Windows, f.After, d.Rule, d.Why})
		}
	}
	for _, v := range r.Violations {
		rows = append(rows, []string{"violation", plan.NetBox, "", "", "", figure(v.VRF), v.Address, "", figure(v.ID), "status", "", "", "", "8", v.Text})
	}
	for _, n := range r.Notes {
		rows = append(rows, []string{"note", n.Server, string(n.Level), shown(n.Scope), "", "", shown(n.Address), "", "", "", "", "", "", n.Rule, n.Text})
	}
	c := csv.NewWriter(w)
	for _, row := range rows {
		for i := range row {
			row[i] = harmless(row[i])
		}
	}
	return c.WriteAll(rows)
}

// harmless keeps a cell from being run: spreadsheets take for a formula what
// begins with one of these, also in their full-width forms and behind blanks.
func harmless(s string) string {
	s = printable.Text(s)
	if strings.IndexAny(strings.TrimLeft(s, " "), "=+-@\uff1d\uff0b\uff0d\uff20") == 0 {
		return "'" + s
	}
	return s
}

// JSON writes the report for machines: the same report is the same bytes, and
// no byte of it steers a terminal. The error is that of w.
func (r *Report) JSON(w io.Writer) error {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("write drift report: %w", err)
	}
	_, err := w.Write(printable.JSON(out.Bytes()))
	return err
}

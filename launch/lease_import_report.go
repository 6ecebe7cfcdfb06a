package launch

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
)

// shownEntries is how many entries of an import are listed one by one.
const shownEntries = 50

// importReport says what became of the entries of an import, or would.
type importReport struct {
	Done     bool               `json:"done"` // false: it is the plan
	Read     int                `json:"read"`
	Fates    map[lease.Fate]int `json:"fates"` // they add up to Read
	Losing   []importedEntry    `json:"losing"`
	Problems []string           `json:"problems"`
	// Reservations are not leases: they belong into NetBox.
	Reservations        int             `json:"reservations"`
	ReservationsMissing []importedEntry `json:"reservations_missing"`
}

// importedEntry is one entry in a list.
type importedEntry struct {
	At      string `json:"at"` // file and line
	Address string `json:"address"`
	Client  string `json:"client"`
	Name    string `json:"name,omitempty"`
	Fate    string `json:"fate"`
	Why     string `json:"why,omitempty"`
}

func (in *incoming) shown() importedEntry {
	return importedEntry{fmt.Sprintf("%s:%d", in.File, in.Entry.Line), in.Entry.Addr.String(), in.Entry.Client(), in.Entry.Name, string(in.Result.Fate), in.Result.Why}
}

func (f *incomingFiles) report(done bool) importReport {
	r := importReport{Done: done, Read: len(f.entries) + f.unread + f.others, Fates: make(map[lease.Fate]int), Problems: f.problems, Reservations: len(f.reservations)}
	for i := range f.entries {
		in := &f.entries[i]
		r.Fates[in.Result.Fate]++
		if in.Result.Loses {
			r.Losing = append(r.Losing, in.shown())
		}
	}
	if f.unread > 0 {
		r.Fates[fateMalformed] = f.unread
	}
	if f.others > 0 {
		r.Fates[fateIPv6] = f.others
	}
	for i := range f.reservations {
		if in := &f.reservations[i]; in.Result.Fate != lease.FateStatic || in.Result.Loses {
			r.ReservationsMissing = append(r.ReservationsMissing, in.shown())
		}
	}
	return r
}

// fates are all there are, in the order of the table.
func fates() []lease.Fate {
	return []lease.Fate{
		lease.FateImported, lease.FateSame, lease.FateEnded, fateReplaced, lease.FateNewer, lease.FateStatic, lease.FateHeld, lease.FateNotDynamic,
		lease.FateUnserved, fateTwoClients, lease.FateBusy, fateIPv6, fateMalformed,
	}
}

func (r importReport) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "%d\t  read\n", r.Read)
	for _, fate := range fates() {
		name := string(fate)
		if fate == lease.FateImported && !r.Done {
			name = "would be imported"
		}
		if n := r.Fates[fate]; n > 0 || fate == lease.FateImported {
			fmt.Fprintf(t, "%d\t  %s\n", n, name)
		}
	}
	if r.Reservations > 0 {
		fmt.Fprintf(t, "%d\t  reservations beside them, of which NetBox has %d\n", r.Reservations, r.Reservations-len(r.ReservationsMissing))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, p := range r.Problems[:min(len(r.Problems), shownEntries)] {
		fmt.Fprintln(w, printable.Text(p))
	}
	more(w, len(r.Problems))
	if err := listEntries(w, "These clients do not keep their addresses, or not for long:", r.Losing); err != nil {
		return err
	}
	if err := listEntries(w, "These reservations are to be made in NetBox: assign the address to the client's interface, or name its MAC in the field fields.reservation_mac:", r.ReservationsMissing); err != nil {
		return err
	}
	if !r.Done {
		fmt.Fprintln(w, "Nothing was done. Run again with --yes to carry this out.")
	}
	return nil
}

func more(w io.Writer, n int) {
	if n > shownEntries {
		fmt.Fprintf(w, "and %d more; --json lists all\n", n-shownEntries)
	}
}

func listEntries(w io.Writer, title string, list []importedEntry) error {
	if len(list) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\n"+title)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ADDRESS\tCLIENT\tNAME\tWHY")
	for _, e := range list[:min(len(list), shownEntries)] {
		why := e.Fate
		if e.Why != "" {
			why += ": " + e.Why
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", e.Address, e.Client, printable.Text(e.Name), why)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	more(w, len(list))
	return nil
}

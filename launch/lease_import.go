package launch

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/control"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/leasefile"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// atOnce is how many leases are imported with one question and one write.
const atOnce = 250

// Fates that the files alone decide.
const (
	fateMalformed  lease.Fate = "malformed"
	fateReplaced   lease.Fate = "replaced by a later entry"
	fateTwoClients lease.Fate = "two clients of one address"
	fateIPv6       lease.Fate = "IPv6"
)

// incoming is one entry of a file and what becomes of it.
type incoming struct {
	File   string
	Entry  leasefile.Entry
	Result lease.Arrived
}

// incomingFiles is what all files of an import have.
type incomingFiles struct {
	entries      []incoming
	reservations []incoming // as if they were leases
	problems     []string
	unread       int // malformed entries
	others       int // of IPv6
}

func (a *app) importCommand() *cobra.Command {
	var format string
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "import FILE...",
		Short: "Take over running leases of another server; shows the plan, does it with --yes",
		Long: `Take over the running leases of another DHCP server, so that its clients keep
their addresses. Without --yes nothing is done: a table counts what would become of
each entry, and clients are named that would lose their address after the move. Files
are those of ISC dhcpd, Kea's memfile, dnsmasq, the export of a Windows server
(Export-DhcpServer -Leases), or JSON lines of leases export. The format is found by
itself where that is sure. - is standard input. Of several files of dhcpd or Kea give
the oldest first; Kea's lease file cleanup leaves some, such as kea-leases4.csv.2.

A lease that runs here, a newer one and a static address of NetBox are never replaced,
and a second import changes nothing. The running server imports while it serves;
where none runs NetBox is read, and the leases go to the store on disk. Only root and
the user of the server may use --yes. Times of a Windows export without a zone are
those of this machine; TZ=Europe/Berlin before the command names another one.

Exit code 0 means that all clients of running leases keep their addresses, 1 that some
do not, that an entry could not be read, or that nothing could be done, 3 that a server
has the store open that cannot be asked, 64 that the command line or the settings are
wrong.`,
		Example: `  coredhcp-netbox leases import -c config.yml /var/lib/dhcp/dhcpd.leases
  coredhcp-netbox leases import -c config.yml /var/lib/dhcp/dhcpd.leases --yes
  coredhcp-netbox leases import -c config.yml kea-leases4.csv.2 kea-leases4.csv
  TZ=Europe/Berlin coredhcp-netbox leases import -c config.yml dhcp-export.xml`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("want one FILE or more")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.importFiles(cmd.Context(), args, leasefile.Format(format), yes, asJSON)
		},
	}
	cmd.Flags().StringVar(&format, "format", "", "jsonl, dhcpd, kea, dnsmasq or windows; default: as the file looks")
	cmd.Flags().BoolVar(&yes, "yes", false, "carry the plan out")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func (a *app) importFiles(ctx context.Context, paths []string, format leasefile.Format, yes, asJSON bool) error {
	if format != "" && !slices.Contains(leasefile.Formats(), format) {
		return usageError{fmt.Errorf("--format: want jsonl, dhcpd, kea, dnsmasq or windows, not %q", format)}
	}
	file, err := a.readSettings()
	if err != nil {
		return err
	}
	files, err := readLeaseFiles(paths, format)
	if err != nil {
		return err
	}
	chosen := files.choose(time.Now())
	if err := a.judge(ctx, file, chosen, !yes); err != nil {
		return err
	}
	if err := a.judge(ctx, file, pointers(files.reservations), true); err != nil {
		return err
	}
	report := files.report(yes)
	if asJSON {
		err = a.printJSON(report)
	} else {
		err = report.print(a.stdout)
	}
	if err == nil && (len(report.Losing) > 0 || len(report.Problems) > 0 || report.Fates[lease.FateBusy] > 0) {
		return errReported
	}
	return err
}

// readLeaseFiles reads all files, one after the other.
func readLeaseFiles(paths []string, format leasefile.Format) (*incomingFiles, error) {
	files := new(incomingFiles)
	var first leasefile.Format
	for _, path := range paths {
		of, parsed, err := readLeaseFile(path, format)
		if err != nil {
			return nil, err
		}
		if first = cmp.Or(first, of); first != of {
			return nil, usageError{fmt.Errorf("%s is of the format %s and %s of %s: import one format at a time", paths[0], first, path, of)}
		}
		for _, p := range parsed.Problems {
			files.problems = append(files.problems, fmt.Sprintf("%s:%d: %s", path, p.Line, p.Text))
		}
		files.unread += len(parsed.Problems)
		files.others += parsed.Others
		for _, e := range parsed.Entries {
			files.entries = append(files.entries, incoming{File: path, Entry: e})
		}
		for _, r := range parsed.Reservations {
			e := leasefile.Entry{Line: r.Line, Addr: r.Addr, Name: r.Name, State: leasefile.Leased, Ends: time.Now().Add(time.Hour), ClientID: r.ClientID}
			if len(r.ClientID) == 6 {
				e.Hardware, e.ClientID = leasefile.Hex(r.ClientID), ""
			}
			files.reservations = append(files.reservations, incoming{File: path, Entry: e})
		}
	}
	if !first.Ordered() {
		files.contested()
	}
	return files, nil
}

func readLeaseFile(path string, format leasefile.Format) (leasefile.Format, leasefile.File, error) {
	var in io.Reader = os.Stdin
	if path != "-" {
		opened, err := os.Open(path) //nolint:gosec // G304: the operator names the file
		if err != nil {
			return "", leasefile.File{}, err
		}
		defer func() { _ = opened.Close() }() // it was only read
		in = opened
	}
	text := bufio.NewReaderSize(in, 1<<16)
	if format == "" {
		head, err := text.Peek(1 << 12)
		if err != nil && !errors.Is(err, io.EOF) {
			return "", leasefile.File{}, fmt.Errorf("%s: %w", path, err)
		}
		if format = leasefile.Detect(head); format == "" {
			return "", leasefile.File{}, usageError{fmt.Errorf("%s: it is not sure what format this is: name it with --format", path)}
		}
	}
	parsed, err := leasefile.Parse(format, text, time.Local) //nolint:gosmopolitan // the zone of the machine, as the help says
	if err != nil {
		return "", leasefile.File{}, fmt.Errorf("%s: %w", path, err)
	}
	return format, parsed, nil
}

// contested leaves out addresses that several clients have, where the order of the file
// does not tell which of them counts.
func (f *incomingFiles) contested() {
	clients := make(map[netip.Addr]map[string]bool)
	for _, e := range f.entries {
		if e.Entry.State != leasefile.Ended {
			if clients[e.Entry.Addr] == nil {
				clients[e.Entry.Addr] = make(map[string]bool)
			}
			clients[e.Entry.Addr][e.Entry.Client()] = true
		}
	}
	for i := range f.entries {
		if e := &f.entries[i]; e.Entry.State != leasefile.Ended && len(clients[e.Entry.Addr]) > 1 {
			e.Result = lease.Arrived{Fate: fateTwoClients, Loses: true, Why: "the file names several clients of this address"}
		}
	}
}

// choose returns the entries that count: the last one of each address that runs.
func (f *incomingFiles) choose(now time.Time) []*incoming {
	last := make(map[netip.Addr]*incoming)
	for i := range f.entries {
		e := &f.entries[i]
		if e.Result.Fate != "" {
			continue
		}
		if before := last[e.Entry.Addr]; before != nil {
			before.Result.Fate = fateReplaced
		}
		last[e.Entry.Addr] = e
	}
	var chosen []*incoming
	for i := range f.entries {
		switch e := &f.entries[i]; {
		case e.Result.Fate != "":
		case e.Entry.State == leasefile.Ended, !e.Entry.Ends.IsZero() && !e.Entry.Ends.After(now):
			e.Result.Fate = lease.FateEnded
		default:
			chosen = append(chosen, e)
		}
	}
	return chosen
}

func pointers(list []incoming) []*incoming {
	all := make([]*incoming, len(list))
	for i := range list {
		all[i] = &list[i]
	}
	return all
}

// arrival is an entry as the engine takes it.
func (in *incoming) arrival() lease.Arrival {
	e := in.Entry
	a := lease.Arrival{Since: e.Since, Identifier: []byte(e.ClientID)}
	a.Addr, a.Expires, a.Hostname, a.State = e.Addr, e.Ends, e.Name, lease.Bound
	switch {
	case e.State == leasefile.Abandoned:
		a.Client, a.State = lease.Declined, lease.Quarantined
	case e.State == leasefile.Withdrawn:
		a.Client, a.State = lease.Declined, lease.Withdrawn
	case e.Key != "":
		a.Client, a.Hardware = lease.ClientID(e.Key), lease.ClientID(e.Hardware)
	case e.Hardware != "":
		a.Client = lease.ClientID(e.Hardware)
	default:
		a.Client, a.Identifier = lease.ClientID(leasefile.Hex(e.ClientID)), nil
	}
	return a
}

// importLeases has the engine import leases.
func importLeases(ctx context.Context, i *instance.Instance, list []lease.Arrival) ([]lease.Arrived, error) {
	return i.Engine.Import(ctx, list, false)
}

// rehearseImport has the engine say what it would do.
func rehearseImport(ctx context.Context, i *instance.Instance, list []lease.Arrival) ([]lease.Arrived, error) {
	return i.Engine.Import(ctx, list, true)
}

// judge finds out what becomes of entries, and unless it is a rehearsal does it: on the
// running server, or on the files.
func (a *app) judge(ctx context.Context, file *settings.File, list []*incoming, rehearsal bool) error {
	command, do := "lease-import", importLeases
	if rehearsal {
		command, do = "lease-import-plan", rehearseImport
	}
	err := judgeParts(list, func(part []lease.Arrival) (fates []lease.Arrived, err error) {
		return fates, askServer(ctx, file, command, part, &fates)
	})
	if !errors.Is(err, control.ErrNoServer) {
		return err
	}
	onFiles := func(i *instance.Instance) error {
		return judgeParts(list, func(part []lease.Arrival) ([]lease.Arrived, error) { return do(ctx, i, part) })
	}
	if rehearsal {
		return a.rehearseFiles(file, onFiles)
	}
	return a.alone(ctx, file, true, onFiles)
}

// judgeParts asks for some entries at a time.
func judgeParts(list []*incoming, ask func([]lease.Arrival) ([]lease.Arrived, error)) error {
	for part := range slices.Chunk(list, atOnce) {
		arrivals := make([]lease.Arrival, len(part))
		for i, in := range part {
			arrivals[i] = in.arrival()
		}
		fates, err := ask(arrivals)
		if err == nil && len(fates) != len(part) {
			err = errors.New("the server gives another number of answers than it was asked for")
		}
		if err != nil {
			return err
		}
		for i, in := range part {
			in.Result = fates[i]
		}
	}
	return nil
}

// rehearseFiles opens what a server with these settings would serve from, with NetBox as it
// is now, and without a lock or a write.
func (a *app) rehearseFiles(file *settings.File, do func(*instance.Instance) error) error {
	log, err := a.errorsOnly()
	if err != nil {
		return err
	}
	i, err := instance.Rehearsal(file, log)
	if err != nil {
		return err
	}
	defer func() { _ = i.Close() }() // a rehearsal keeps nothing
	return do(i)
}

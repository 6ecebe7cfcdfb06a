package launch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/control"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// errNothingKnown says that there is nothing to show or to save.
var errNothingKnown = errors.New("no server runs with these settings, and none has left a copy of NetBox")

func (a *app) snapshotCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "snapshot",
		Short: "Show, save or compare what the server knows of NetBox",
		Args:  noSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.snapshotShowCommand(), a.snapshotSaveCommand(), a.snapshotDiffCommand())
	return cmd
}

// snapshotShown is what is known of NetBox.
type snapshotShown struct {
	Source    string    `json:"source,omitempty"` // URL of the NetBox; file:NAME is an inventory
	From      string    `json:"from"`             // who tells
	VRFs      int       `json:"vrfs"`
	Prefixes  int       `json:"prefixes"`
	Ranges    int       `json:"ranges"`
	Addresses int       `json:"addresses"`
	Dynamic   int       `json:"dynamic"` // addresses that clients lease
	MACs      int       `json:"macs"`
	Machines  int       `json:"machines"`
	Contexts  int       `json:"contexts"`
	Confirmed time.Time `json:"confirmed,omitzero"` // when it last agreed with NetBox
	NotReady  []string  `json:"not_ready,omitempty"`
}

func snapshotOf(known instance.Saved, from string) snapshotShown {
	shown := snapshotShown{Source: known.Source, From: from, Confirmed: known.Taken}
	s := known.Snapshot
	if s == nil {
		return shown
	}
	o := s.Objects()
	shown.VRFs, shown.Prefixes, shown.Ranges, shown.Contexts = len(o.VRFs), len(o.Prefixes), len(o.Ranges), len(o.Contexts)
	shown.Addresses, shown.MACs, shown.Machines = len(o.Addresses), len(o.MACs), len(o.Machines)
	for _, vrf := range s.DynamicVRFs() {
		shown.Dynamic += s.Pool(vrf).Len()
	}
	return shown
}

// shownNow is what a running server knows.
func shownNow(i *instance.Instance) snapshotShown {
	known, err := i.Known()
	shown := snapshotOf(known, "the running server")
	if err != nil {
		shown.NotReady = []string{err.Error()}
	}
	return shown
}

func (a *app) snapshotShowCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show [FILE]",
		Short: "Show how much is known of NetBox, since when, and what is not right",
		Long: `Show how much the server knows of NetBox, when that last agreed with NetBox, and
why clients are not served as NetBox has them, if so. While the server runs it is
asked over its control socket; otherwise the copy on disk, or the inventory, is
read. With FILE, a saved snapshot or an inventory is shown in its place.

Exit code 0 means that there is a snapshot, 1 that there is none or that it could
not be read, 64 that the command line, the settings or FILE are wrong.`,
		Example: `  coredhcp-netbox snapshot show -c config.yml
  coredhcp-netbox snapshot show -c config.yml before.snapshot`,
		Args: atMostOne("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.showSnapshot(cmd.Context(), append(args, "")[0], asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func (a *app) showSnapshot(ctx context.Context, path string, asJSON bool) error {
	file, err := a.readSettings()
	if err != nil {
		return err
	}
	var shown snapshotShown
	if path != "" {
		known, err := readSaved(path, file)
		if err != nil {
			return err
		}
		shown = snapshotOf(known, path)
	} else if shown, err = shownWithoutFile(ctx, file); err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(shown)
	}
	return shown.print(a.stdout, time.Now())
}

// shownWithoutFile asks the server, or reads its files.
func shownWithoutFile(ctx context.Context, file *settings.File) (shown snapshotShown, err error) {
	err = askServer(ctx, file, "snapshot", nil, &shown)
	if !errors.Is(err, control.ErrNoServer) {
		return shown, err
	}
	known, err := storedNow(file)
	return snapshotOf(known, "the files of the server, which does not run"), err
}

// storedNow is what is known without the server.
func storedNow(file *settings.File) (instance.Saved, error) {
	known, err := instance.StoredNow(file.NetBox)
	if errors.Is(err, fs.ErrNotExist) && file.NetBox.Inventory == "" {
		err = errNothingKnown
	}
	return known, err
}

// readSaved reads a file that the command line names.
func readSaved(path string, file *settings.File) (instance.Saved, error) {
	known, err := instance.ReadSaved(path, file.NetBox)
	if errors.Is(err, ipam.ErrDiskFormat) {
		err = fmt.Errorf("%s is no intact snapshot of this version: save one with coredhcp-netbox snapshot save", path)
	}
	if err != nil && !errors.As(err, new(settings.Problems)) {
		err = usageError{err}
	}
	return known, err
}

func (s snapshotShown) print(w io.Writer, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if s.Source != "" {
		fmt.Fprintf(t, "of\t%s\n", printable.Text(s.Source))
	}
	fmt.Fprintf(t, "told by\t%s\n", s.From)
	fmt.Fprintf(t, "VRFs\t%d\nprefixes\t%d\nIP ranges\t%d\naddresses\t%d\n  that clients lease\t%d\nMAC addresses\t%d\nmachines\t%d\nconfig contexts\t%d\n",
		s.VRFs, s.Prefixes, s.Ranges, s.Addresses, s.Dynamic, s.MACs, s.Machines, s.Contexts)
	if !s.Confirmed.IsZero() {
		fmt.Fprintf(t, "agreed with NetBox\t%s, %s ago\n", s.Confirmed.UTC().Format(time.RFC3339), now.Sub(s.Confirmed).Round(time.Second))
	}
	for _, reason := range s.NotReady {
		fmt.Fprintf(t, "not right\t%s\n", reason)
	}
	return t.Flush()
}

func (a *app) snapshotSaveCommand() *cobra.Command {
	var anew, force bool
	cmd := &cobra.Command{
		Use:   "save FILE",
		Short: "Save what the server knows of NetBox, to compare, replay and test with later",
		Long: `Save what the server knows of NetBox now: that of the running server, else of its
copy on disk or its inventory; with --read-netbox, NetBox is read now, which needs
no server. "snapshot diff", "replay" and "test" work on such files.

The file holds what is read of NetBox and nothing else: no token, no leases of the
store, nothing of the settings. Names of the settings, such as that of the tag of
dynamic addresses, count as they are when the file is used. It has host names and
hardware addresses, so only you may read it (mode 0600). It is written whole or not
at all, and takes no existing file's place without --force.

Exit code 0 means that it was saved, 1 that it could not be, 64 that the command
line or the settings are wrong.`,
		Example: `  coredhcp-netbox snapshot save -c config.yml before.snapshot
  coredhcp-netbox snapshot save -c config-of-test-netbox.yml --read-netbox after.snapshot`,
		Args: exactlyOne("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.saveSnapshot(cmd, args[0], anew, force) },
	}
	cmd.Flags().BoolVar(&anew, "read-netbox", false, "read NetBox now, instead of asking the server or its files")
	cmd.Flags().BoolVar(&force, "force", false, "replace FILE where it exists")
	return cmd
}

func (a *app) saveSnapshot(cmd *cobra.Command, path string, anew, force bool) error {
	file, err := a.readSettings()
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil && !force {
		return usageError{fmt.Errorf("%s is there already: name another file, or give --force", path)}
	}
	disk, from, err := a.knownDisk(cmd, file, anew)
	if err != nil {
		return err
	}
	var content bytes.Buffer
	if err := ipam.EncodeDisk(&content, disk); err != nil {
		return err
	}
	if err := renameio.WriteFile(path, content.Bytes(), 0o600, renameio.IgnoreUmask()); err != nil {
		return fmt.Errorf("save the snapshot: %w", err)
	}
	o := disk.Objects
	_, err = fmt.Fprintf(a.stdout, "%s: %s, %s, %s, from %s\n", path,
		count(len(o.Prefixes), "prefix", "prefixes"), count(len(o.Addresses), "address", "addresses"), count(len(o.Machines), "machine", "machines"), from)
	return err
}

// knownDisk is what is known, as a file has it, and who told.
func (a *app) knownDisk(cmd *cobra.Command, file *settings.File, anew bool) (disk ipam.Disk, from string, err error) {
	if anew {
		disk, err = a.readAnew(cmd, file)
		return disk, "NetBox as it is now", err
	}
	told, err := askKnown(cmd.Context(), file, knownQuestion{Snapshot: true})
	if err == nil {
		disk, err = ipam.DecodeDisk(bytes.NewReader(told.Snapshot))
		return disk, "the running server", err
	}
	if !errors.Is(err, control.ErrNoServer) {
		return disk, "", err
	}
	known, err := storedNow(file)
	if err != nil {
		return disk, "", err
	}
	return known.Copy(file.NetBox), "the files of the server, which does not run", nil
}

// readAnew reads NetBox, or the inventory, now.
func (a *app) readAnew(cmd *cobra.Command, file *settings.File) (ipam.Disk, error) {
	if !file.Chain.Has(settings.PluginNetBox) {
		return ipam.Disk{}, usageError{errors.New("the chain of these settings has no netbox plugin")}
	}
	w, err := a.rehearsal(cmd, file, rehearsalOf{anew: true, leases: new([]lease.Lease)})
	if err != nil {
		return ipam.Disk{}, err
	}
	defer w.close()
	known, err := w.instance.Known()
	if err != nil {
		return ipam.Disk{}, err
	}
	return known.Copy(file.NetBox), nil
}

// knownQuestion says what of the knowledge of a server is asked for.
type knownQuestion struct {
	Snapshot bool `json:"snapshot"`
	Leases   bool `json:"leases"`
}

// knownAnswer is what a server knows, to go on from elsewhere.
type knownAnswer struct {
	Snapshot []byte        `json:"snapshot,omitempty"` // as ipam.EncodeDisk writes it
	Leases   []lease.Lease `json:"leases,omitempty"`
}

// answer is what the running server says.
func (q knownQuestion) answer(i *instance.Instance) (answer knownAnswer, err error) {
	if q.Leases {
		answer.Leases = i.Engine.Leases()
	}
	if !q.Snapshot {
		return answer, nil
	}
	known, err := i.Known()
	if err != nil {
		return answer, err
	}
	if known.Snapshot == nil {
		return answer, errors.New("the server knows nothing of NetBox yet")
	}
	var content bytes.Buffer
	err = ipam.EncodeDisk(&content, known.Copy(i.Settings))
	answer.Snapshot = content.Bytes()
	return answer, err
}

// askKnown asks the server what it knows; control.ErrNoServer: none runs.
func askKnown(ctx context.Context, file *settings.File, q knownQuestion) (answer knownAnswer, err error) {
	err = askServer(ctx, file, "known", q, &answer)
	return answer, err
}

func (a *app) snapshotDiffCommand() *cobra.Command {
	var asJSON, records bool
	cmd := &cobra.Command{
		Use:   "diff OLD [NEW]",
		Short: "Say what differs between two snapshots, or between one and what is known now",
		Long: `Say which objects of NetBox differ between two saved snapshots, by kind and name:
added, removed, or changed in which fields. Without NEW, OLD is compared with what
the server knows now. An inventory (.yml or .yaml) can stand for either.

Ids and times of updates do not count, so a NetBox can be compared with a copy of
it. Records of leases are left out, unless --records asks for them. To see what it
does to clients, use "replay --against".

Exit code 0 means that they are the same, 1 that they differ, 2 that they could not
be compared, 64 that the command line, the settings or a file are wrong.`,
		Example: `  coredhcp-netbox snapshot diff -c config.yml before.snapshot
  coredhcp-netbox snapshot diff -c config.yml before.snapshot after.snapshot --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 2 {
				return usageError{errors.New("want one or two files: OLD, or OLD NEW")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return troubled(a.diffSnapshots(cmd, args, records, asJSON))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	cmd.Flags().BoolVar(&records, "records", false, "compare the records of leases, too")
	return cmd
}

func (a *app) diffSnapshots(cmd *cobra.Command, paths []string, records, asJSON bool) error {
	file, err := a.readSettings()
	if err != nil {
		return err
	}
	before, err := readSaved(paths[0], file)
	if err != nil {
		return err
	}
	now := (*ipam.Objects)(nil)
	if len(paths) == 2 {
		after, err := readSaved(paths[1], file)
		if err != nil {
			return err
		}
		now = after.Snapshot.Objects()
	} else {
		disk, _, err := a.knownDisk(cmd, file, false)
		if err != nil {
			return err
		}
		now = disk.Objects
	}
	changes := ipam.Diff(before.Snapshot.Objects(), now, records)
	if asJSON {
		if changes == nil {
			changes = []ipam.Change{}
		}
		err = a.printJSON(changes)
	} else {
		err = printChanges(a.stdout, changes)
	}
	if err == nil && len(changes) > 0 {
		err = errDiffers
	}
	return err
}

// printChanges prints a line for each object, and one for each field that changed.
func printChanges(w io.Writer, changes []ipam.Change) error {
	signs := map[ipam.How]string{ipam.Added: "+", ipam.Removed: "-", ipam.Changed: "~"}
	counts := make(map[ipam.How]int)
	for _, c := range changes {
		counts[c.How]++
		var said []string
		for _, f := range c.Fields {
			switch c.How {
			case ipam.Added:
				said = append(said, f.Name+" "+shortened(f.New))
			case ipam.Removed:
				said = append(said, f.Name+" "+shortened(f.Old))
			default:
				said = append(said, fmt.Sprintf("%s %s -> %s", f.Name, shortened(f.Old), shortened(f.New)))
			}
		}
		line := fmt.Sprintf("%s %s %s", signs[c.How], c.Kind, printable.Text(c.Object))
		if len(said) > 0 {
			line += ": " + printable.Text(strings.Join(said, "; "))
		}
		fmt.Fprintln(w, line)
	}
	_, err := fmt.Fprintf(w, "%d added, %d removed, %d changed\n", counts[ipam.Added], counts[ipam.Removed], counts[ipam.Changed])
	return err
}

// shortened is a value as a table has it.
func shortened(value string) string {
	const most = 60
	switch runes := []rune(value); {
	case value == "":
		return "(none)"
	case len(runes) > most:
		return string(runes[:most]) + "..."
	}
	return value
}

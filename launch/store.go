package launch

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/control"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease/backup"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/version"
)

func (a *app) storeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Back up, restore and check the store of leases",
		Long: `Back up, restore and check the store of leases, and move a damaged one away.
docs/operations.md has "Backup and restore" and "A damaged store" step by step.`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.storeBackupCommand(), a.storeRestoreCommand(), a.storeCheckCommand(), a.storeSetAsideCommand())
	return cmd
}

func (a *app) storeBackupCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write all leases to a file, also while the server runs",
		Long: `Write all leases, as they are at one moment, to a file of mode 0600; - is standard
output. While the server runs it is asked over its control socket and serves on;
otherwise its store is read, without a lock and without a write. A copy of the
folder of a running server is no backup: its files do not belong together.

The file is JSON lines: a header, the leases, the notes of the server, and a last
line with counts and a checksum. A file of that name is not replaced without
--force. Nothing is printed if all went well.

Exit code 0 means that the backup is whole, 1 that there is none, 64 that the
command line or the settings are wrong.`,
		Example: `  coredhcp-netbox store backup -c config.yml /var/backups/leases-$(date +%F).jsonl
  coredhcp-netbox store backup -c config.yml - | gzip > leases.jsonl.gz
  jq -r 'select(.lease) | [.lease, .client, .state, .expires] | @tsv' leases.jsonl`,
		Args: exactlyOne("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.backupStore(cmd.Context(), args[0], force) },
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace a file that is there")
	return cmd
}

func (a *app) backupStore(ctx context.Context, path string, force bool) error {
	file, err := a.readSettings()
	if err != nil {
		return err
	}
	if path == "-" {
		out := bufio.NewWriter(a.stdout)
		return errors.Join(writeBackup(ctx, file, out), out.Flush())
	}
	if _, err := os.Lstat(path); err == nil && !force {
		return fmt.Errorf("%s is there already: choose another name, or replace it with --force", path)
	}
	pending, err := renameio.NewPendingFile(path, renameio.WithStaticPermissions(0o600), renameio.WithTempDir(filepath.Dir(path)))
	if err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	out := bufio.NewWriter(pending)
	if err := errors.Join(writeBackup(ctx, file, out), out.Flush()); err != nil {
		return errors.Join(err, pending.Cleanup())
	}
	if err := pending.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	return nil
}

// writeBackup has the running server write a backup, and reads it meanwhile: one that
// is cut short is an error. Where no server runs, the store is read.
func writeBackup(ctx context.Context, file *settings.File, to io.Writer) error {
	path, err := socketOf(file)
	if err != nil {
		return err
	}
	err = control.AskStream(ctx, path, "backup", nil, func(from io.Reader) error {
		_, err := backup.Read(io.TeeReader(from, to))
		return err
	})
	if errors.Is(err, control.ErrNoServer) {
		err = instance.BackupStored(ctx, file.NetBox, to, instance.BackupHeader(file.NetBox, version.String(), time.Now()))
	}
	if err != nil {
		return fmt.Errorf("there is no backup: %w", err)
	}
	return nil
}

func (a *app) storeRestoreCommand() *cobra.Command {
	var yes, force bool
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a backup the store; without --yes, show what that would do",
		Long: `Make a backup the store, while no server runs; - is standard input. Without --yes
nothing is done but shown: what is in the backup, and what is in the store now. The
store of now is moved to a name beside it, not deleted. Owner and mode are kept.

A restored store lacks what was leased since the backup. The leases that NetBox
shows count then, and for one longest lease an address goes to a new client only
after an echo request to it stayed unanswered. If there is a second copy of the
leases (store.copy), "coredhcp-netbox store set-aside" often loses less than an
old backup.

Exit code 0 means that the backup is the store now, or could be; 1 that it could
not be read or written, 3 that a server has the store open, 64 that the command
line or the settings are wrong, or that the backup is of another NetBox (--force).`,
		Example: `  coredhcp-netbox store restore -c config.yml leases-2026-11-29.jsonl          # shows what it would do
  systemctl stop coredhcp-netbox
  coredhcp-netbox store restore -c config.yml leases-2026-11-29.jsonl --yes
  systemctl start coredhcp-netbox`,
		Args: exactlyOne("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.restoreStore(cmd.Context(), args[0], yes, force)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	cmd.Flags().BoolVar(&force, "force", false, "also if the backup is of another NetBox")
	return cmd
}

func (a *app) restoreStore(ctx context.Context, path string, yes, force bool) error {
	file, err := a.readSettings()
	if err != nil {
		return err
	}
	kept, err := readBackup(path)
	if err != nil {
		return err
	}
	now := time.Now()
	err = askServer(ctx, file, "store", nil, new(instance.StoreReport))
	running := !errors.Is(err, control.ErrNoServer)
	if running && yes { // also one that goes on without its store
		return fmt.Errorf("a server runs with these settings; stop it first: %w", syscall.EAGAIN)
	}
	a.showRestore(path, kept, instance.CheckStored(ctx, file.NetBox, now), now)
	if instance.OtherNetBox(file.NetBox, kept.Header) && !force {
		return usageError{fmt.Errorf("the backup is of %s, which is not the NetBox of %s: its leases mean other addresses; --force if it is the same under another name",
			sourceOf(kept.Header), file.Path)}
	}
	switch {
	case !yes && running:
		_, err = fmt.Fprintln(a.stdout, "\nNothing was done. Stop the server, then repeat this with --yes.")
		return err
	case !yes:
		_, err = fmt.Fprintln(a.stdout, "\nNothing was done. Repeat this with --yes to do it.")
		return err
	}
	aside, err := instance.RestoreStore(ctx, file.NetBox, kept, now)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "\nThe store has the %s of the backup now.\n", count(len(kept.Leases), "lease", "leases"))
	if aside != "" {
		fmt.Fprintf(a.stdout, "The store before is in %s: remove it once all is well.\n", aside)
	}
	_, err = fmt.Fprintln(a.stdout, "Start the server. For one longest lease from then on it probes addresses before it gives them to new clients.")
	return err
}

func readBackup(path string) (backup.File, error) {
	if path == "-" {
		kept, err := backup.Read(os.Stdin)
		if err != nil {
			return backup.File{}, fmt.Errorf("standard input, %w", err)
		}
		return kept, nil
	}
	f, err := os.Open(path) //nolint:gosec // G304: the file of the command line
	if err != nil {
		return backup.File{}, fmt.Errorf("read the backup: %w", err)
	}
	kept, err := backup.Read(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return backup.File{}, fmt.Errorf("%s, %w", path, err)
	}
	return kept, nil
}

// sourceOf is where the facts of a backup came from.
func sourceOf(h backup.Header) string {
	if h.NetBox == "" {
		return "the inventory " + printable.Text(h.Inventory)
	}
	return printable.Text(h.NetBox)
}

// showRestore says what a restore would do.
func (a *app) showRestore(path string, kept backup.File, now instance.StoreReport, at time.Time) {
	h := kept.Header
	t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "backup\t%s\n", path)
	fmt.Fprintf(t, "  taken\t%s, %s ago, by %s on %s\n", h.Taken.Format(time.RFC3339), at.Sub(h.Taken).Round(time.Second), unknownOr(h.Program), unknownOr(h.Machine))
	fmt.Fprintf(t, "  of\t%s, store %s\n", sourceOf(h), unknownOr(h.Store))
	fmt.Fprintf(t, "  leases\t%s\n", countsOf(instance.Count(kept.Leases, at)))
	since := 0
	for _, l := range kept.Leases {
		if l.State == lease.Bound && l.Expires.After(h.Taken) && !l.Expires.After(at) {
			since++
		}
	}
	fmt.Fprintf(t, "  ended since\t%d of those that ran when it was taken\n", since)
	fmt.Fprintf(t, "store now\t%s\n", now.Path)
	if now.Sound {
		fmt.Fprintf(t, "  leases\t%s\n  written\t%s\n", countsOf(now.Counts), now.Written.Format(time.RFC3339))
	} else {
		fmt.Fprintf(t, "  trouble\t%s\n", now.Trouble)
	}
	_ = t.Flush() // what cannot be shown costs nothing
	if now.Sound && now.Written.After(h.Taken) && now.Leases > 0 {
		fmt.Fprintln(a.stdout, "warning   the store of now can be read and is newer: what was leased since the backup would be known from NetBox only")
	}
}

func unknownOr(text string) string {
	if text == "" {
		return "(unknown)"
	}
	return printable.Text(text)
}

func countsOf(c instance.Counts) string {
	return fmt.Sprintf("%d: %d running, %d ended, %d in quarantine, %d withdrawn; NetBox was not told of %d", c.Leases, c.Running, c.Ended, c.Quarantined, c.Withdrawn, c.Untold)
}

func (a *app) storeCheckCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Read the store whole and say whether it is sound",
		Long: `Read the store whole and say whether it is sound, what is in it, and until when it
may lack leases, as one does that was restored or found empty; and whether the
second copy of the leases can be read. While the server runs it is asked; otherwise
the files are read, without a lock and without a write.

Exit code 0 means that the store is sound, 1 that it is not or that there is none,
64 that the command line or the settings are wrong.`,
		Example: `  coredhcp-netbox store check -c config.yml
  coredhcp-netbox store check -c config.yml --json | jq .sound`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.checkStore(cmd.Context(), asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func (a *app) checkStore(ctx context.Context, asJSON bool) error {
	file, err := a.readSettings()
	if err != nil {
		return err
	}
	var r instance.StoreReport
	err = askServer(ctx, file, "store", nil, &r)
	if errors.Is(err, control.ErrNoServer) {
		r, err = instance.CheckStored(ctx, file.NetBox, time.Now()), nil
	}
	if err != nil {
		return err
	}
	if asJSON {
		err = a.printJSON(r)
	} else {
		err = printStore(a.stdout, r)
	}
	if err == nil && !r.Sound {
		err = errReported
	}
	return err
}

func printStore(w io.Writer, r instance.StoreReport) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "store\t%s\n", r.Path)
	if r.Sound {
		who := "no server has it open"
		if r.Open {
			who = "read by the server that has it open"
		}
		fmt.Fprintf(t, "sound\tyes, %s\nformat\t%d; this version knows up to %d\nleases\t%s\nnotes\t%d\n", who, r.Format, r.Newest, countsOf(r.Counts), r.Notes)
	} else {
		fmt.Fprintf(t, "sound\tNO: %s\n", r.Trouble)
	}
	if !r.Written.IsZero() {
		fmt.Fprintf(t, "size\t%d bytes\nwritten\t%s\n", r.Bytes, r.Written.Format(time.RFC3339))
	}
	for _, line := range agesOf(r) {
		fmt.Fprintf(t, "%s\n", line)
	}
	switch c := r.Copy; {
	case c == nil:
		fmt.Fprintf(t, "second copy\tnone: store.copy is not set\n")
	case !c.Sound:
		fmt.Fprintf(t, "second copy\t%s: %s\n", c.Path, c.Trouble)
	default:
		fmt.Fprintf(t, "second copy\t%s: sound, %s, written %s\n", c.Path, count(c.Running, "running lease", "running leases"), c.Written.Format(time.RFC3339))
	}
	return t.Flush()
}

// agesOf says how complete the leases are.
func agesOf(r instance.StoreReport) (lines []string) {
	if !r.Restored.IsZero() {
		lines = append(lines, fmt.Sprintf("restored\t%s, from a backup of %s", r.Restored.Format(time.RFC3339), r.BackupTaken.Format(time.RFC3339)))
	}
	switch {
	case !r.Sound:
	case r.Unjudged:
		lines = append(lines, "complete\tnot known yet: a server judges it by NetBox when it starts")
	case r.YoungUntil.After(time.Now()):
		lines = append(lines, fmt.Sprintf("complete\tfrom %s on: until then leases may run that it lacks, and addresses are probed", r.YoungUntil.Format(time.RFC3339)))
	default:
		lines = append(lines, "complete\tyes")
	}
	return lines
}

func (a *app) storeSetAsideCommand() *cobra.Command {
	var yes, force bool
	cmd := &cobra.Command{
		Use:   "set-aside",
		Short: "Move a damaged store away; without --yes, show what that would do",
		Long: `Move a damaged store to a name beside it, so that a server can go on without it.
Nothing is deleted. The server, when it starts or while it waits for a store, begins
an empty one with its second copy of the leases, if there is one, and the leases that
NetBox shows. For one longest lease it refuses no client for want of a lease, and
probes addresses before it gives them to others.

A server that runs without its store need not be stopped: it has the new one within
a minute. A store that a server has open is left alone, and so is one that is sound,
without --force.

Exit code 0 means that it was done, or could be; 1 that it could not, 3 that a
server has the store open, 64 that the command line or the settings are wrong.`,
		Example: `  coredhcp-netbox store set-aside -c config.yml          # shows what it would do
  coredhcp-netbox store set-aside -c config.yml --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.setStoreAside(cmd.Context(), yes, force) },
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	cmd.Flags().BoolVar(&force, "force", false, "also if the store is sound")
	return cmd
}

func (a *app) setStoreAside(ctx context.Context, yes, force bool) error {
	file, err := a.readSettings()
	if err != nil {
		return err
	}
	r := instance.CheckStored(ctx, file.NetBox, time.Now())
	if err := printStore(a.stdout, r); err != nil {
		return err
	}
	switch {
	case yes && r.Sound && !force:
		return usageError{errors.New("the store is sound; without it the server knows less: --force if you mean it")}
	case !yes:
		_, err := fmt.Fprintln(a.stdout, "\nNothing was done. Repeat this with --yes to move the folder away.")
		return err
	}
	aside, err := instance.SetStoreAside(file.NetBox, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "\nThe store is in %s now: keep it until all is well.\nA server that waits for its store goes on within a minute; otherwise start it.\n", aside)
	return err
}

package launch

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/control"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/receive"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/version"
)

// socketOf is the control socket of a server with these settings.
func socketOf(file *settings.File) (string, error) {
	store, err := filepath.Abs(file.NetBox.Store.Path)
	if err != nil {
		return "", fmt.Errorf("netbox.store.path: %w", err)
	}
	return control.Path(file.NetBox.Control.Folder, store), nil
}

// askServer asks the server with these settings; control.ErrNoServer: none runs.
func askServer(ctx context.Context, file *settings.File, command string, question, answer any) error {
	path, err := socketOf(file)
	if err != nil {
		return err
	}
	return control.Ask(ctx, path, command, question, answer)
}

// serveControl lets commands ask this server; one without our plugins cannot be
// asked. Without the socket the server serves all the same, and a line in the log
// says so (C-3).
func serveControl(i *instance.Instance, file *settings.File, chain receive.Chain, log *logrus.Entry) (stop func(), err error) {
	if i == nil {
		return func() {}, nil
	}
	chain.Handlers = slices.DeleteFunc(slices.Clone(chain.Handlers), func(l receive.Link) bool { return !harmless(l.Plugin) })
	path, err := socketOf(file)
	if err != nil {
		return nil, err
	}
	server, err := control.Serve(path, commands(i, file, &chain), log)
	if err != nil {
		log.WithError(err).Warn("no control socket: commands cannot ask this server; see netbox.control.folder")
		return func() {}, nil
	}
	return func() { _ = server.Close() }, nil // nothing is left to lose
}

// commands are what the running server can be asked.
func commands(i *instance.Instance, file *settings.File, chain *receive.Chain) map[string]control.Command {
	return map[string]control.Command{
		"explain": {Do: func(_ context.Context, question []byte) (any, error) {
			var what asked
			if err := json.Unmarshal(question, &what); err != nil {
				return nil, fmt.Errorf("not a question of this version: %w", err)
			}
			result := what.answer(chain, i)
			result.RestsOn = append([]string{"what the running server knows now"}, notAsked(file.Chain)...)
			return result, nil
		}},
		"unserved": {Do: func(context.Context, []byte) (any, error) {
			return i.Unserved(time.Now()), nil
		}},
		"circuits": {Do: func(context.Context, []byte) (any, error) {
			return i.Circuits(time.Now()), nil
		}},
		"who":        {Do: answerWho(i)},
		"erase":      {Changes: true, Private: true, Do: answerErase(i, true)},
		"erase-plan": {Do: answerErase(i, false)},
		"ddns":       {Do: func(context.Context, []byte) (any, error) { return namesOf(i) }},
		"leases": {Do: func(context.Context, []byte) (any, error) {
			return leaseList(i.Engine.Leases(), time.Now()), nil
		}},
		"snapshot": {Do: func(context.Context, []byte) (any, error) {
			shown := shownNow(i)
			shown.NotReady = i.NotReady()
			return shown, nil
		}},
		"backup": {Stream: func(ctx context.Context, _ []byte, answer io.Writer) error {
			return i.BackupStore(ctx, answer, instance.BackupHeader(i.Settings, version.String(), time.Now()))
		}},
		"store": {Do: func(ctx context.Context, _ []byte) (any, error) {
			return i.CheckStore(ctx, time.Now()), nil
		}},
		"known": {Do: func(_ context.Context, question []byte) (any, error) {
			var want knownQuestion
			if err := json.Unmarshal(question, &want); err != nil {
				return nil, fmt.Errorf("not a question of this version: %w", err)
			}
			return want.answer(i)
		}},
		"accept": {Changes: true, Do: func(ctx context.Context, _ []byte) (any, error) {
			rows, err := i.AcceptNetBox(ctx)
			return accepted{rows}, err
		}},
		"quarantine-end": change[quarantineEnd, quarantineEnd](endQuarantine).command(i),
		"lease-end":      change[endOfLease, endedLease](endLease).command(i),
		"lease-import":   change[[]lease.Arrival, []lease.Arrived](importLeases).command(i),
		"lease-import-plan": {Do: func(ctx context.Context, question []byte) (any, error) {
			return change[[]lease.Arrival, []lease.Arrived](rehearseImport).command(i).Do(ctx, question)
		}},
	}
}

// printJSON prints what a command found out.
func (a *app) printJSON(answer any) error {
	encoder := json.NewEncoder(a.stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(answer)
}

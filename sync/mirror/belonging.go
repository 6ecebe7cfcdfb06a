package mirror

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/prepare"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/decide"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// whereabouts tells where the runs of these settings take place (rule 5.5).
func whereabouts(f *settings.File) (plan.Here, error) {
	address, err := url.Parse(f.NetBox.URL)
	if err != nil {
		return plan.Here{}, fmt.Errorf("netbox.url: %w", err)
	}
	folder, err := filepath.Abs(f.Sync.StateDir)
	if err != nil {
		return plan.Here{}, fmt.Errorf("sync.state_dir: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return plan.Here{}, fmt.Errorf("name of this machine: %w", err)
	}
	return plan.Here{
		URL:    strings.ToLower(address.Host) + strings.TrimRight(address.Path, "/"),
		Keeper: plan.Keeper{Host: strings.ToLower(host), StateDir: folder},
	}, nil
}

// home is the config context that gives a NetBox its id and says where the memory
// of it is kept. It is written once.
func (m *Mirror) home() prepare.Context {
	return prepare.Context{
		Name: plan.MemoryContext, Description: "Which NetBox this is, and where netbox-dhcp-sync keeps what it remembers of it", Inactive: true,
		Data: decide.Home{ID: strings.ToLower(rand.Text()), Keeper: m.here.Keeper}.Data(),
	}
}

// SameNetBox takes the operator's word that this NetBox is the one that the state
// folder remembers, and that the folder is the one that is kept: after a move of
// either, or after NetBox was restored (rule 5.5).
func (m *Mirror) SameNetBox(ctx context.Context) error {
	unlock, err := m.state.lock()
	if err != nil {
		return err
	}
	defer unlock()
	memory, err := m.state.memory()
	if err != nil {
		return err
	}
	held, err := netboxio.Read(ctx, m.NetBox)
	if err != nil {
		return err
	}
	home, ok := decide.HomeOf(held.Contexts)
	if !ok {
		return errors.New("NetBox has no readable config context " + plan.MemoryContext + ": delete it if it is damaged, and run bootstrap")
	}
	if home.Keeper != m.here.Keeper {
		home.Keeper = m.here.Keeper
		if err := m.NetBox.Update(ctx, netbox.Contexts, contextID(held), map[string]any{"data": json.RawMessage(home.Data())}); err != nil {
			return err
		}
	}
	memory.NetBox = plan.Identity{ID: home.ID, URL: m.here.URL}
	memory.Newest = state.Mark{}
	log := netboxio.ReadMark(ctx, m.NetBox, state.Mark{}, m.now())
	if log.Err == nil {
		memory.Newest = log.Newest
	}
	for kind := range memory.Deleting { // what was deleted until now is not proved any more
		memory.Deleting[kind] = log.Newest
	}
	return m.state.keepMemory(memory)
}

// ForgetComputer forgets which computer answered under the name of a server, since an
// operator trusts the one that does now (rule 3.7 guard o).
func ForgetComputer(f *settings.File, host string) error {
	folder := stateDir(f.Sync.StateDir)
	unlock, err := folder.lock()
	if err != nil {
		return err
	}
	defer unlock()
	memory, err := folder.memory()
	if err != nil || memory.Computers[host] == "" {
		return err
	}
	delete(memory.Computers, host)
	return folder.keepMemory(memory)
}

func contextID(held *state.State) int64 {
	for _, c := range held.Contexts {
		if c.Name == plan.MemoryContext {
			return c.ID
		}
	}
	return 0
}

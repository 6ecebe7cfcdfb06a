package instance

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/follow"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// Saved is what is known of NetBox, apart from any server.
type Saved struct {
	Snapshot *ipam.Snapshot
	Taken    time.Time // when it was true in NetBox; zero: an inventory, which is always true
	Source   string    // URL of the NetBox; file:NAME is an inventory
}

// ofInventory begins the Source of what an inventory said.
const ofInventory = "file:"

// ReadSaved reads what a server with these settings would serve from a file: a
// snapshot that was saved, of any NetBox, or an inventory, whose name ends in .yml or
// .yaml (C-20). Names of tags, roles and VRFs get their meaning from the settings now.
func ReadSaved(path string, s settings.NetBox) (Saved, error) {
	if isInventory(path) {
		s.Inventory = path
		return savedInventory(s)
	}
	disk, err := ipam.ReadDiskFile(path)
	if err != nil {
		return Saved{}, err
	}
	saved, err := OpenSaved(disk, s)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return saved, err
}

// OpenSaved is ReadSaved for what a file holds.
func OpenSaved(disk ipam.Disk, s settings.NetBox) (Saved, error) {
	s.Inventory = ""
	if strings.HasPrefix(disk.URL, ofInventory) { // its interfaces are numbered by lines
		s.Inventory = disk.URL
	}
	snapshot, err := follow.Saved(disk, readConfig(s, "", nil))
	if errors.Is(err, follow.ErrForeign) {
		err = errors.New("the snapshot was saved with other settings: netbox.context_key, netbox.fields and the fields of netbox.pxe must be as they were then; save it again, or use those settings")
	}
	return Saved{snapshot, disk.Taken, disk.URL}, err
}

func isInventory(path string) bool {
	extension := strings.ToLower(filepath.Ext(strings.TrimSuffix(path, ".example")))
	return extension == ".yml" || extension == ".yaml"
}

func savedInventory(s settings.NetBox) (Saved, error) {
	snapshot, _, err := Inventory(s)
	return Saved{Snapshot: snapshot, Source: ofInventory + filepath.Base(s.Inventory)}, err
}

// StoredNow is what is known without asking NetBox or a server: the inventory, or the
// copy that a server with these settings would start from; see StoredSnapshot for
// errors.
func StoredNow(s settings.NetBox) (Saved, error) {
	if s.Inventory != "" {
		return savedInventory(s)
	}
	copied, err := fromDisk(s)
	if err != nil {
		return Saved{}, err
	}
	url, err := netbox.BaseURL(s.URL)
	return Saved{copied.Snapshot, copied.Taken, url}, err
}

// Known is what this instance serves from now; without a Snapshot before the first one.
func (i *Instance) Known() (Saved, error) {
	known := Saved{Snapshot: i.Snapshot()}
	if i.Settings.Inventory != "" {
		known.Source = ofInventory + filepath.Base(i.Settings.Inventory)
		return known, nil
	}
	url, err := netbox.BaseURL(i.Settings.URL)
	known.Source = url
	known.Taken, _ = i.Engine.Freshness()
	if known.Taken.IsZero() { // of a rehearsal that read NetBox
		known.Taken = timeOfDay()
	}
	return known, err
}

// Copy is k as a file has it, with the settings that gave it its shape.
func (k Saved) Copy(s settings.NetBox) ipam.Disk {
	return follow.Copy(k.Snapshot, k.Source, k.Taken, readConfig(s, "", nil))
}

// rehearseSaved takes the facts from what was saved.
func (i *Instance) rehearseSaved(saved Saved) {
	i.publish(saved.Snapshot)
	i.Engine.AwaitStore()
	i.rest("NetBox: %s", saved)
}

// String says in words what k is.
func (k Saved) String() string {
	if name, ok := strings.CutPrefix(k.Source, ofInventory); ok {
		return "the inventory " + name
	}
	return fmt.Sprintf("%s as it was at %s", k.Source, k.Taken.UTC().Format(time.RFC3339))
}

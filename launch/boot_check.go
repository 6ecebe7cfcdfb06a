package launch

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/bootfiles"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/follow"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// checkBootFiles looks whether the folder of netbox.boot_service is there, and
// warns of files machines are told to load from this server and will not find.
// What machines are told is known from the inventory or from the copy of NetBox
// that the running server keeps on disk.
func checkBootFiles(out io.Writer, s settings.NetBox) error {
	if s.BootService.Folder == "" {
		return nil
	}
	folder := bootfiles.Folder(s.BootService.Folder)
	if err := folder.Check(); err != nil {
		fmt.Fprintf(out, "failure  netbox.boot_service.folder: %v\n         fix: create it, and let the server's user read it\n", err)
		return errReported
	}
	snapshot, err := instance.StoredSnapshot(s)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, follow.ErrForeign) {
		fmt.Fprintf(out, "%s: is there; the files machines are told to load are checked once the server has run with these settings\n", folder)
		return nil
	}
	if err != nil {
		return err
	}
	local, err := localAddrs()
	if err != nil {
		return err
	}
	missing := missingFiles(snapshot, newHere(s.BootService, local), folder)
	for _, m := range missing {
		fmt.Fprintf(out, "warning  boot file %q, for %s: %v\n", m.file, some(m.machines), m.err)
	}
	if len(missing) == 0 {
		fmt.Fprintf(out, "%s: has every boot file that machines are told to load from this server\n", folder)
	}
	return nil
}

// missingFile is one that machines look for in vain.
type missingFile struct {
	file     string
	machines []string
	err      error
}

// missingFiles returns what is missing, by name.
func missingFiles(snapshot *ipam.Snapshot, here here, folder bootfiles.Folder) []missingFile {
	machines := make(map[*ipam.Config][]string)
	for _, m := range snapshot.Objects().Machines {
		if config := snapshot.MachineConfig(m); config != nil {
			machines[config] = append(machines[config], m.ID.Kind.String()+" "+m.Name)
		}
	}
	found := make(map[string]*missingFile)
	for config, names := range machines {
		for _, file := range here.files(config) {
			err := folder.Has(file)
			if err == nil {
				continue
			}
			if found[file] == nil {
				found[file] = &missingFile{file: file, err: err}
			}
			found[file].machines = append(found[file].machines, names...)
		}
	}
	var missing []missingFile
	for _, name := range slices.Sorted(maps.Keys(found)) {
		m := *found[name]
		slices.Sort(m.machines)
		m.machines = slices.Compact(m.machines)
		missing = append(missing, m)
	}
	return missing
}

// some names the first of many.
func some(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return fmt.Sprintf("%s and %d more", names[0], len(names)-1)
}

// here tells whether a server or URL in a config context is this machine's boot
// service.
type here struct {
	local    map[netip.Addr]bool
	tftp     bool
	httpPort string // empty: no HTTP
}

func newHere(b settings.BootService, local map[netip.Addr]bool) here {
	h := here{local: local, tftp: b.TFTPListen != ""}
	if at := strings.LastIndexByte(b.HTTPListen, ':'); at >= 0 {
		h.httpPort = b.HTTPListen[at+1:]
	}
	return h
}

// files are those of a context that are loaded from here. Servers given by name
// are left out: only the clients' resolver knows them.
func (h here) files(c *ipam.Config) []string {
	server, err := netip.ParseAddr(c.TFTPServer)
	byTFTP := h.tftp && err == nil && h.local[server]
	var files []string
	for _, file := range append([]string{c.PXEBootFile, c.UEFIBootFile, c.HTTPBootURL, c.IPXEBootFile}, slices.Collect(maps.Values(c.BootFiles))...) {
		switch u, err := url.Parse(file); {
		case file == "":
		case err == nil && strings.EqualFold(u.Scheme, "http") && u.Host != "":
			addr, err := netip.ParseAddr(u.Hostname())
			if err == nil && h.local[addr] && h.httpPort == cmp.Or(u.Port(), "80") {
				files = append(files, u.Path)
			}
		case byTFTP && !strings.Contains(file, "://"):
			files = append(files, file)
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}

func localAddrs() (map[netip.Addr]bool, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("read the addresses of this machine: %w", err)
	}
	local := make(map[netip.Addr]bool)
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			local[p.Addr().Unmap()] = true
		}
	}
	return local, nil
}

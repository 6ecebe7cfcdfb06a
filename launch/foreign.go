package launch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coredhcp/coredhcp/config"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// pluginRange is CoreDHCP's plugin that writes to its file when it is set up.
const pluginRange = "range"

// checkForeign finds what the start would: plugins that this binary does not have,
// and mistakes in arguments and files of CoreDHCP's own, which are set up as the
// start does. The file of range is copied for that, and is not touched. Plugins of
// other projects may do anything, and are left to the start (C-8).
func (a *app) checkForeign(file *settings.File) error {
	known := make(map[string]bool)
	for _, p := range a.plugins {
		known[p.Name] = true
	}
	wanted := only(func(name string) bool { return !known[name] || ofCoreDHCP(name) })
	var copies copies
	defer func() { _ = os.RemoveAll(copies.folder) }() // nothing in it is needed
	_, _, err := a.loadChain(new(instance.Pool), file.Path, func(chain []config.PluginConfig) []config.PluginConfig {
		chain = wanted(chain)
		for i, p := range chain {
			if p.Name == pluginRange && len(p.Args) > 0 && p.Args[0] != "" {
				chain[i].Args = slices.Concat([]string{copies.of(p.Args[0])}, p.Args[1:])
			}
		}
		return chain
	})
	return copies.named(err)
}

// ofCoreDHCP says that a plugin is CoreDHCP's own, and writes nothing but to the
// file of range when it is set up.
func ofCoreDHCP(plugin string) bool {
	return harmless(plugin) && !settings.Ours(plugin) || slices.Contains([]string{"file", "prefix", pluginRange, "sleep"}, plugin)
}

// copies are files that stand for others while a plugin is tried. The zero value is
// ready.
type copies struct {
	folder string
	names  []string // of a copy, then of the file it stands for, and so on
	failed error    // why the first file that could not be copied was not
}

// of copies a file, and returns the copy's name. A file that is not there is made by
// the plugin, if its folder is there.
func (c *copies) of(path string) string {
	name, err := c.room(path)
	if err == nil {
		err = copyFile(name, path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Stat(filepath.Dir(path))
	}
	if c.failed == nil {
		c.failed = err
	}
	return name
}

// room makes a folder for the copy of a file.
func (c *copies) room(path string) (name string, err error) {
	if c.folder == "" {
		if c.folder, err = os.MkdirTemp("", "coredhcp-netbox-check-"); err != nil {
			return "", err
		}
	}
	folder, err := os.MkdirTemp(c.folder, "")
	name = filepath.Join(folder, filepath.Base(path))
	c.names = append(c.names, name, path)
	return name, err
}

// named gives an error the names of the files that the copies stand for.
func (c *copies) named(err error) error {
	if c.failed != nil {
		err = fmt.Errorf("%s: %w", pluginRange, c.failed)
	}
	if err == nil || len(c.names) == 0 {
		return err
	}
	return usageError{errors.New(strings.NewReplacer(c.names...).Replace(err.Error()))}
}

func copyFile(to, from string) error {
	source, err := os.Open(from) //nolint:gosec // G304: the path is a setting
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()                                    // it was read only
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // G304: in a folder of our own
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}

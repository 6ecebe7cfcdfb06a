// Package instance is one running set of everything below the plugins: the
// snapshot of NetBox, the lease engine with its store, the write-back. It is the
// one package that knows every part of the server; the parts do not know it.
// It decides nothing about packets.
package instance

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coredhcp/coredhcp/handler"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/logline"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/stock"
)

// Default is the pool of a program. Plugins have nowhere else to meet: their
// setup gets strings only (L-11). Tests make pools of their own.
var Default = new(Pool)

// Pool holds the open instances, one for each settings file, so that the five
// plugins of one chain share one, and two chains in one process do not. The
// zero value is ready.
type Pool struct {
	// Exchanges is what the plugins of a chain share about a packet.
	Exchanges dhcp4.Exchanges
	// packets keeps it where the server is CoreDHCP's own.
	packets stock.Packets
	// Rehearse makes instances that keep leases in memory and tell NetBox
	// nothing, for commands that only say what would happen. Set it before the
	// first Join.
	Rehearse bool
	// Anew makes a rehearsal read NetBox now, also where there is a copy on disk.
	Anew bool
	// Saved is where a rehearsal takes the facts of NetBox from; nil: what a server
	// would start from.
	Saved *Saved
	// Known are the leases that a rehearsal begins with; nil: those of the store.
	Known *[]lease.Lease
	// Now is the time of day in a rehearsal; nil: that of this machine.
	Now func() time.Time

	alone  bool // see Alone
	mu     sync.Mutex
	own    []dhcp4.Handler
	loaded string // absolute path; empty in a stock build
	open   map[string]*Instance
}

// UseFile says which settings file the program was started with. A plugin
// without a path of its own joins the instance of that file.
func (p *Pool) UseFile(path string) error {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("settings file: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loaded = absolute
	return nil
}

// Handler returns what CoreDHCP calls for h. Our own receive loop takes h itself, by Own;
// the stock server needs all of package stock.
func (p *Pool) Handler(plugin stock.Plugin, h dhcp4.Handler) handler.Handler4 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.own = append(p.own, h)
	called := p.Exchanges.Handler(h)
	if p.loaded == "" {
		called = plugin.Handler(called, &p.Exchanges, &p.packets)
	}
	return called
}

// Own returns the handlers that were asked for so far, in the order of the plugins.
func (p *Pool) Own() []dhcp4.Handler {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.own)
}

// SplitArguments takes the path of a settings file, which may stand first, off
// the arguments of a plugin. Where a plugin has others of its own, a path is
// known by its slash.
func SplitArguments(args []string, others bool) (path string, rest []string) {
	if len(args) == 1 && !others || len(args) > 0 && strings.Contains(args[0], "/") {
		return args[0], args[1:]
	}
	return "", args
}

// Join returns the instance of a settings file and opens it if it is the first
// to ask. An empty path stands for the file of UseFile, else for the only open
// instance. It fails with a sentence that says what to write.
func (p *Pool) Join(path string, log logrus.FieldLogger) (*Instance, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if path == "" {
		path = p.loaded
	}
	if path == "" {
		return p.only()
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("settings file: %w", err)
	}
	if i := p.open[absolute]; i != nil {
		return i, nil
	}
	if p.loaded == "" { // CoreDHCP's own main does not know our formatter
		logline.Use(log)
	}
	file, err := settings.Options{Stock: p.loaded == ""}.Load(absolute)
	if err != nil {
		return nil, err
	}
	for _, w := range file.Warnings {
		log.Warn(w.String())
	}
	i, err := p.start(file, log)
	if err != nil {
		return nil, err
	}
	if p.open == nil {
		p.open = make(map[string]*Instance)
	}
	p.open[absolute] = i
	return i, nil
}

// Joined is Join for a plugin that can do without: it opens nothing and returns
// nil if no netbox plugin has opened an instance before.
func (p *Pool) Joined(path string) (*Instance, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if path == "" {
		path = p.loaded
	}
	if path == "" {
		if len(p.open) == 0 {
			return nil, nil //nolint:nilnil // none is an answer here
		}
		return p.only()
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("settings file: %w", err)
	}
	return p.open[absolute], nil
}

func (p *Pool) only() (*Instance, error) {
	switch len(p.open) {
	case 0:
		return nil, errors.New("no settings: put the netbox plugin before this one, with the path of the file that has the netbox: section (- netbox: /etc/coredhcp-netbox/config.yml)")
	case 1:
		for _, i := range p.open {
			return i, nil
		}
	}
	return nil, fmt.Errorf("several settings files are in use, name one of %s as first argument",
		strings.Join(slices.Sorted(maps.Keys(p.open)), ", "))
}

// Leave forgets the open instances, so that the next Join opens one more of the same
// settings file. The caller closes them.
func (p *Pool) Leave() []*Instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := slices.Collect(maps.Values(p.open))
	p.open = nil
	return left
}

// Close closes all instances and forgets them.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var failures []error
	for _, i := range p.open {
		failures = append(failures, i.Close())
	}
	p.open = nil
	return errors.Join(failures...)
}

package cli

import (
	"net/netip"
	"strings"

	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/settings"
)

// choice is what a run is about, as flags say it.
type choice struct {
	mode            plan.Mode
	servers         []string
	scopes          []string
	dryRun          bool
	retired         string
	adoptRanges     bool
	allowDeletes    bool
	allowOverwrites bool
	alongside       bool
}

func (c *choice) addTo(f *pflag.FlagSet) {
	f.StringArrayVar(&c.servers, "server", nil, "only this server, by any of its names; may be repeated")
	f.StringArrayVar(&c.scopes, "scope", nil, "only this scope, such as 10.8.4.0/24; may be repeated")
	f.BoolVar(&c.allowDeletes, "allow-deletes", false, "losses need no proof this once (sync.guards); --server and --scope narrow it")
	f.BoolVar(&c.allowOverwrites, "allow-overwrites", false, "overwrite any number of statuses that people gave, this once (sync.adopt)")
	f.BoolVar(&c.alongside, "alongside-plugin", false, "run although the plugin netbox-windows-dhcp is installed: both undo each other's work")
}

func (c *choice) addDryRun(f *pflag.FlagSet) {
	f.BoolVar(&c.dryRun, "dry-run", false, "show what would be done; write nothing anywhere")
}

// session is a mirror that is open for one command.
type session struct {
	*mirror.Mirror
	log     logrus.FieldLogger
	options mirror.Options
	shown   bool // the plan stands on standard output
	news    bool // only what no run of the last day told is logged
}

// open reads the settings, tells what is unusual about them, and opens the
// mirror. Close it.
func (p *program) open(c choice, level logrus.Level) (*session, error) {
	log, err := p.logger(level)
	if err != nil {
		return nil, err
	}
	f, err := p.load()
	if err != nil {
		return nil, err
	}
	options, err := c.options(f)
	if err != nil {
		return nil, err
	}
	f.Sync.DryRun = f.Sync.DryRun || c.dryRun
	for _, w := range f.Warnings {
		if w.Insecure {
			continue // the client of that server says it at each run
		}
		log.WithField("setting", w.Key).Warn(w.Text)
	}
	if !p.quiet {
		for _, b := range f.Notices() {
			if b.Key == "sync.dry_run" && c.dryRun {
				b.Origin = "--dry-run"
			}
			log.WithFields(logrus.Fields{"setting": b.Key, "value": b.Value, "origin": b.Origin}).Warn(b.Effect)
		}
	}
	if f.Sync.Priority == "low" {
		if err := lowerPriority(); err != nil {
			log.WithError(err).Info("process priority unchanged")
		}
	}
	if !p.quiet && p.terminal(p.screen.out) {
		options.Progress = p.screen.progress
	}
	m, err := mirror.Open(f, log)
	if err != nil {
		return nil, usageError{err}
	}
	return &session{Mirror: m, log: log, options: options}, nil
}

// warnings logs what people must know of the servers that were asked. A run
// that is carried out tells it itself.
func (s *session) warnings() {
	for _, server := range s.File.Sync.Servers {
		for _, w := range s.Server(server.Host).Warnings() {
			s.log.WithField("server", server.Host).Warn(w)
		}
	}
}

func (c choice) options(f *settings.File) (mirror.Options, error) {
	o := mirror.Options{Mode: c.mode, Servers: c.servers, AllowDeletes: c.allowDeletes, AllowOverwrites: c.allowOverwrites, AlongsidePlugin: c.alongside, Retired: c.retired, AdoptRanges: c.adoptRanges}
	for _, name := range c.servers {
		if _, err := findServer(f, name); err != nil {
			return o, err
		}
	}
	for _, text := range c.scopes {
		scope, err := netip.ParsePrefix(text)
		if err != nil || !scope.Addr().Is4() || scope != scope.Masked() {
			return o, usagef("--scope: want a network such as 10.8.4.0/24, not %q", text)
		}
		o.Scopes = append(o.Scopes, scope)
	}
	return o, nil
}

// findServer finds a configured server by any of its names.
func findServer(f *settings.File, name string) (settings.Server, error) {
	s, ok := f.Sync.FindServer(name)
	if ok {
		return s, nil
	}
	var hosts []string
	for _, s := range f.Sync.Servers {
		hosts = append(hosts, s.Host)
	}
	return s, usagef("no server %q in %s: want one of %s", name, f.Path, strings.Join(hosts, ", "))
}

package launch

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/coredhcp/coredhcp/config"
	"github.com/coredhcp/coredhcp/handler"
	"github.com/coredhcp/coredhcp/plugins"
	"github.com/coredhcp/coredhcp/server"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/receive"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

func (a *app) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer DHCP clients until SIGTERM or SIGINT (the default command)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			reloads, ignore := hangups()
			defer ignore()
			return a.serve(ctx, reloads)
		},
	}
	cmd.Flags().StringVar(&a.metrics, "metrics", "", "serve Prometheus metrics at this address, such as 127.0.0.1:9767")
	return cmd
}

// serve runs until ctx ends; then running packets finish and store and queue
// close. At each of hangups it reads anew what it can.
func (a *app) serve(ctx context.Context, hangups <-chan os.Signal) (err error) {
	log, err := a.logger()
	if err != nil {
		return err
	}
	file, err := a.readSettings()
	if err != nil {
		return err
	}
	queue, closeLog := queueLog(log)
	defer closeLog()
	pool := instance.Default
	defer func() { err = errors.Join(err, pool.Close()) }()
	conf, links, err := a.loadChain(pool, file.Path, nil)
	if err != nil {
		return err
	}
	i, err := pool.Joined("") // nil: a chain without our plugins
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var reloading sync.WaitGroup
	reloading.Go(func() { a.reloads(ctx, hangups, i, log) })
	defer reloading.Wait()
	defer stop()
	stopDHCPv6, err := serveDHCPv6(conf.Server6)
	if err != nil {
		return err
	}
	defer stopDHCPv6()
	registry, notReady := stateOf(i)
	if err := registry.Register(lostLines(queue)); err != nil {
		return fmt.Errorf("register the metrics of the log: %w", err)
	}
	stopStatus, err := a.serveStatus(notReady, file, registry, log)
	if err != nil {
		return err
	}
	defer stopStatus()
	stopBootFiles, err := serveBootFiles(file.NetBox.BootService, registry, log)
	if err != nil {
		return err
	}
	defer stopBootFiles()
	chain, err := chainOf(&pool.Exchanges, i, file, links)
	if err != nil {
		return err
	}
	stopControl, err := serveControl(i, file, chain, log)
	if err != nil {
		return err
	}
	defer stopControl()
	defer servePage(i, file, chain, statusHandler(registry, notReady), log)()
	return serve4(ctx, conf, chain, registry, log, notReady)
}

// serveDHCPv6 runs CoreDHCP's own server for DHCPv6, where the settings have one.
func serveDHCPv6(conf *config.ServerConfig) (stop func(), err error) {
	if conf == nil {
		return func() {}, nil
	}
	upstream, err := server.Start(&config.Config{Server6: conf})
	if err != nil {
		return nil, fmt.Errorf("start DHCPv6: %w", err)
	}
	return upstream.Close, nil
}

// stateOf is what is told of an instance: its metrics, and why it is not ready. nil
// has neither.
func stateOf(i *instance.Instance) (registry *prometheus.Registry, notReady func() []string) {
	if i == nil {
		return prometheus.NewRegistry(), func() []string { return nil }
	}
	return i.Registry, i.NotReady
}

// serveStatus offers metrics and health where the command line or the settings
// say so; the command line wins.
func (a *app) serveStatus(notReady func() []string, file *settings.File, registry *prometheus.Registry, log *logrus.Entry) (stop func(), err error) {
	if err := addProcessMetrics(registry); err != nil {
		return nil, err
	}
	key, address := "--metrics", a.metrics
	if address == "" {
		key, address = "netbox.metrics.listen", file.NetBox.Metrics.Listen
	}
	return serveStatus(key, address, statusHandler(registry, notReady), log)
}

// serve4 runs our receive loop in the place of CoreDHCP's server package
// (REC-1).
func serve4(ctx context.Context, conf *config.Config, chain receive.Chain, registry *prometheus.Registry, log *logrus.Entry, notReady func() []string) error {
	if conf.Server4 == nil {
		notify("READY=1", log)
		watchdog(ctx, func(context.Context) error { return nil }, log)
		<-ctx.Done()
		return nil
	}
	loop, err := receive.Listen(conf.Server4.Addresses, chain, receive.Options{
		Waiting: instance.WaitingPlaces, Log: log, Registerer: registry,
	})
	if err != nil {
		return err
	}
	defer func() { _ = loop.Close() }() // at the end of the process nothing is left to lose
	listening := logrus.Fields{"addresses": loop.Addrs()}
	if names := chain.Proxy.Interfaces; len(names) > 0 {
		listening["boot_data_only"] = names // ProxyDHCP
	}
	log.WithFields(listening).Info("serving DHCPv4")
	notify("READY=1", log)
	var beside sync.WaitGroup
	beside.Go(func() { tellReady(ctx, notReady, log) })
	beside.Go(func() { watchdog(ctx, loop.Turn, log) })
	err = loop.Serve(ctx)
	beside.Wait()
	log.Info("stopped")
	return err
}

// firstAnswer is how long NetBox has after the start before the log says that
// not all is right.
const firstAnswer = 5 * time.Second

// tellReady ends the lines of the start with what is not right, or that all is
// (B-12).
func tellReady(ctx context.Context, notReady func() []string, log *logrus.Entry) {
	for began := time.Now(); ; {
		reasons := notReady()
		switch {
		case len(reasons) == 0:
			log.Info("ready: clients are served as NetBox has them now")
			return
		case time.Since(began) >= firstAnswer:
			log.WithField("reasons", strings.Join(reasons, "; ")).Warn("started, but not ready")
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// chainOf is how the receive loop answers with these settings; i is nil for a
// chain without our plugins. Interfaces without leases are for the plugin that
// knows boot data.
func chainOf(exchanges *dhcp4.Exchanges, i *instance.Instance, file *settings.File, links []receive.Link) (receive.Chain, error) {
	chain := receive.Chain{
		Handlers:       links,
		Tally:          receive.NewTally(links),
		Exchanges:      exchanges,
		OwnsDecline:    file.Chain.Has(settings.PluginNetBox),
		SupplyServerID: !file.Chain.Has("server_id"),
	}
	if i == nil {
		return chain, nil
	}
	chain.Own = i.Engine.SetOwn
	if promptPlugins(file.Chain) {
		chain.Reuse = true
		chain.Prompt = func(req *dhcp4.Packet) bool { return !i.MayWait(req) }
	}
	if len(file.NetBox.PXE.ProxyDHCP) == 0 {
		return chain, nil
	}
	chain.Proxy = receive.Proxy{Interfaces: file.NetBox.PXE.ProxyDHCP, Handler: i.Proxy()}
	return chain, chain.Proxy.Check()
}

// promptPlugins reports whether all plugins of the chain are known to wait for
// nothing, or to say so (B-14), and to keep nothing of a packet (B-17). One that
// another program brings along may do anything.
func promptPlugins(chain settings.Chain) bool {
	return !slices.ContainsFunc(chain.Plugins, func(p settings.Plugin) bool {
		switch p.Name {
		case settings.PluginNetBox, settings.PluginGateway, settings.PluginDNS, settings.PluginPXE, settings.PluginNak,
			"server_id", "dns", "router", "netmask", "lease_time", "mtu", "searchdomains", "staticroute", "ipv6only", "autoconfigure", "nbp":
			return false
		}
		return true
	})
}

// loadChain registers the plugins and sets up the handlers of the chain: of all
// plugins, or only of those that chosen leaves, with the arguments it gives them.
func (a *app) loadChain(pool *instance.Pool, path string, chosen func([]config.PluginConfig) []config.PluginConfig) (*config.Config, []receive.Link, error) {
	if err := pool.UseFile(path); err != nil {
		return nil, nil, err
	}
	for _, p := range a.plugins {
		if plugins.RegisteredPlugins[p.Name] == p { // for an earlier chain of a rehearsal
			continue
		}
		if err := plugins.RegisterPlugin(p); err != nil {
			return nil, nil, fmt.Errorf("register plugin %s: %w", p.Name, err)
		}
	}
	conf, err := config.Load(path)
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("%s: %w", path, err)}
	}
	if chosen != nil && conf.Server4 != nil {
		conf.Server4.Plugins = chosen(conf.Server4.Plugins)
	}
	handlers, _, err := plugins.LoadPlugins(&config.Config{Server4: conf.Server4})
	if err != nil {
		return nil, nil, configError(err)
	}
	return conf, linksOf(conf.Server4, handlers, pool.Own()), nil
}

// linksOf tells which handler is whose. CoreDHCP made one for each plugin of the chain
// that serves DHCPv4; ours are also those that were made last of own.
func linksOf(conf *config.ServerConfig, handlers []handler.Handler4, own []dhcp4.Handler) []receive.Link {
	if conf == nil {
		return nil
	}
	var links []receive.Link
	for _, p := range conf.Plugins {
		if known := plugins.RegisteredPlugins[p.Name]; known != nil && known.Setup4 != nil && len(links) < len(handlers) {
			links = append(links, receive.Link{Plugin: p.Name, Theirs: handlers[len(links)]})
			if p.Name == "server_id" && len(p.Args) > 0 {
				links[len(links)-1].Ours = serverID(p.Args[0])
			}
		}
	}
	for i := len(links) - 1; i >= 0 && len(own) > 0; i-- {
		if settings.Ours(links[i].Plugin) {
			links[i].Ours, own = own[len(own)-1], own[:len(own)-1]
		}
	}
	return links
}

// serverID does what CoreDHCP's server_id does, which has accepted the argument: nearly
// every chain begins with it, and the options of others are costly to make.
func serverID(argument string) dhcp4.Handler {
	id, err := netip.ParseAddr(argument)
	if err != nil || !id.Unmap().Is4() {
		return nil
	}
	id = id.Unmap()
	return func(_ *dhcp4.Exchange, req, resp *dhcp4.Packet) (*dhcp4.Packet, bool) {
		if siaddr := dhcp4.HeaderAddr(req.ServerIPAddr); siaddr.IsValid() && siaddr != id {
			return nil, true
		}
		resp.ServerIPAddr = id.AsSlice()
		dhcp4.SetAddrs(resp, dhcpv4.OptionServerIdentifier, id)
		return resp, false
	}
}

// configError keeps a list of problems and trouble of the store as they are, and
// marks everything else that is wrong with the settings (E-1).
func configError(err error) error {
	var problems settings.Problems
	if errors.As(err, &problems) {
		return problems
	}
	var store *instance.StoreError
	if errors.As(err, &store) { // a restart may find the disk well again
		return err
	}
	return usageError{err}
}

// settingsPath finds the file as CoreDHCP does, which does not tell which one
// it loaded.
func (a *app) settingsPath() (string, error) {
	if a.conf != "" {
		return a.conf, nil
	}
	folders := []string{".", "$XDG_CONFIG_HOME/coredhcp", "$HOME/.coredhcp", "/etc/coredhcp"}
	for _, folder := range folders {
		for _, name := range []string{"config.yml", "config.yaml"} {
			path := filepath.Join(os.ExpandEnv(folder), name)
			if _, err := os.Stat(path); err == nil {
				return path, nil
			}
		}
	}
	return "", usageError{fmt.Errorf("no config.yml in %s: name one with --conf", strings.Join(folders, ", "))}
}

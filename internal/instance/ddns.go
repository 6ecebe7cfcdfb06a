package instance

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ddns"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// namesRoom is how many messages wait for names in DNS. What finds no room is made up for
// by the leases (DNS-19).
const namesRoom = 8192

// DDNSZones are the zones of the settings.
func DDNSZones(s settings.DDNS) (zones []ddns.Zone) {
	keys := make(map[string]settings.DDNSKey)
	for _, k := range s.Keys {
		keys[keyName(k.Name)] = k
	}
	for _, z := range s.Zones {
		server, _ := z.Address() // Load has checked it
		prefixes, reverse, classless := z.Clients()
		k := keys[keyName(z.Key)]
		zones = append(zones, ddns.Zone{
			Name: z.Name, Server: server, Prefixes: prefixes, Reverse: reverse, Classless: classless,
			Key: ddns.Key{Name: keyName(k.Name), Algorithm: k.Algorithm, Secret: func() (string, error) {
				secret, err := k.Secret()
				return secret.Reveal(), err
			}},
		})
	}
	return zones
}

func keyName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// DDNSFile is where what is registered in DNS is kept.
func DDNSFile(s settings.NetBox) string { return filepath.Join(ddnsFolder(s), "names.jsonl") }

func ddnsFolder(s settings.NetBox) string { return filepath.Join(s.Store.Path, "ddns") }

// LockDDNS keeps servers and other commands off what is registered in DNS until unlock is
// called. The error is syscall.EAGAIN where a server has it.
func LockDDNS(s settings.NetBox) (unlock func(), err error) {
	lock, err := lockFolder(ddnsFolder(s))
	if err != nil {
		return nil, err
	}
	return func() { _ = lock.Close() }, nil // gives the lock back
}

// planNames makes what plans names in DNS; in a rehearsal too, which says what clients
// are told of them (C-1).
func (i *Instance) planNames() {
	d := i.Settings.DDNS
	if !d.On() {
		return
	}
	policy := ddns.Policy{
		Template: d.Template, Static: d.Clients != "dynamic", Dynamic: d.Clients != "static", ByIdentifier: d.DHCID == "client_id",
		TTL: d.TTL, OverrideNoUpdate: d.OverrideNoUpdate, OverrideClientUpdate: d.OverrideClientUpdate,
	}
	for _, source := range d.Names {
		policy.Sources = append(policy.Sources, ddns.Source(source))
	}
	for _, name := range d.Forbidden {
		policy.Forbidden = append(policy.Forbidden, strings.ToLower(name))
	}
	policy.SetZones(DDNSZones(d))
	i.names = ddns.New(ddns.Config{
		Policy: policy, Path: DDNSFile(i.Settings), Lease: i.Engine.Lease, Leases: i.Engine.Leases, Running: i.Engine.Running,
		Unsure: func() bool { return i.storeFailed() || i.Engine.ReclaimPause() > 0 },
		Lost:   i.namesLost, Grace: i.Settings.Lease.ReclaimGrace, Log: i.Log, Quiet: i.Quiet, Updated: i.Metrics.named,
	})
	i.Registry.MustRegister(i.namesMetrics()...)
}

// keepNames registers the names of clients until ctx ends. Without the file of what is
// registered it does nothing but say so: clients are served all the same.
func (i *Instance) keepNames(ctx context.Context) {
	const msg = "names in DNS: none is registered or removed until the server is started again"
	unlock, err := LockDDNS(i.Settings)
	if err != nil {
		i.Log.WithError(err).Error(msg)
		return
	}
	defer unlock()
	if err := i.names.Open(); err != nil {
		i.Log.WithError(err).Error(msg)
		return
	}
	feed := i.Watch(namesRoom, naming)
	defer feed.Close()
	i.namesFeed.Store(feed)
	i.disks.Go(func() { i.readNames(ctx, feed) })
	if err := i.names.Run(ctx); err != nil {
		i.Log.WithError(err).Error("names in DNS: what is registered may not be on disk as a whole")
	}
}

// naming reports whether a decision gives an address or takes it back.
func naming(_ *lease.ClientMessage, d *lease.Decision) bool {
	return d.Verdict == lease.Ack && d.Addr.IsValid() || d.Verdict == lease.Taken
}

func (i *Instance) readNames(ctx context.Context, feed *Watch) {
	for {
		select {
		case <-ctx.Done():
			return
		case seen := <-feed.C:
			if seen.Verdict == lease.Taken {
				i.names.Ended(seen.Addr, seen.Client)
				continue
			}
			i.names.Granted(ddns.Client{
				Addr: seen.Addr, Client: seen.Client, Hardware: seen.Hardware, Machine: seen.MachineID, MachineName: seen.Machine,
				Hostname: seen.Hostname, Wish: seen.Naming, Static: seen.Static, Time: seen.Time, Until: seen.At.Add(seen.Time),
			})
		}
	}
}

func (i *Instance) namesLost() uint64 {
	if feed := i.namesFeed.Load(); feed != nil {
		return feed.Lost()
	}
	return 0
}

// Registration is what becomes of the client's name in DNS, by decision d about m
// (DNS-8). It waits for nothing.
func (i *Instance) Registration(m *lease.ClientMessage, d *lease.Decision) dhcp4.Registration {
	if i.names == nil || m.Naming == lease.NameNoWish || d.Verdict != lease.Offer && d.Verdict != lease.Ack {
		return dhcp4.Registration{}
	}
	m = i.Engine.Identified(m)
	c := ddns.Client{Addr: d.Addr.Addr(), Client: m.Client, Hardware: m.Hardware, Hostname: m.Hostname, Wish: m.Naming, Static: d.Static}
	if d.Machine != nil {
		c.Machine, c.MachineName = d.Machine.ID, d.Machine.Name
	}
	plan := i.names.Plan(c)
	return dhcp4.Registration{Name: plan.Name, Address: plan.Addressed()}
}

// NamesInDNS tells what is registered; nil: nothing is, by the settings.
func (i *Instance) NamesInDNS() *ddns.Report {
	if i.names == nil {
		return nil
	}
	report := i.names.Report()
	return &report
}

// DNSFindings are what is wrong with names in DNS now (DNS-20).
func (i *Instance) DNSFindings() []ddns.Finding {
	if i.names == nil {
		return nil
	}
	return i.names.Findings()
}

// named counts an update of DNS.
func (m *Metrics) named(o ddns.Outcome) { m.dnsUpdates.WithLabelValues(string(o)).Inc() }

func newDNSUpdates() *prometheus.CounterVec {
	updates := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "coredhcp_netbox_dns_updates_total",
		Help: "Records added to DNS or removed from it, by how that ended: done, conflict (the name is another's), refused or failed (tried again).",
	}, []string{"outcome"})
	for _, o := range ddns.Outcomes() {
		updates.WithLabelValues(string(o))
	}
	return updates
}

// namesMetrics say how names in DNS fare, without naming any (DNS-20).
func (i *Instance) namesMetrics() []prometheus.Collector {
	records := func(state, help string, value func(registered, pending, conflicts int) int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "coredhcp_netbox_dns_" + state, Help: help}, func() float64 {
			return float64(value(i.names.Counts()))
		})
	}
	return []prometheus.Collector{
		i.Metrics.dnsUpdates,
		records("registered_records", "Records of clients that are in DNS.", func(registered, _, _ int) int { return registered }),
		records("queued_records", "Records that wait to be added to DNS or removed from it.", func(_, pending, _ int) int { return pending }),
		records("conflicting_records", "Records that are not in DNS since the name is another's.", func(_, _, conflicts int) int { return conflicts }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "coredhcp_netbox_dns_lost_messages_total",
			Help: "Messages that names in DNS had no room for; leases make up for them.",
		}, func() float64 { return float64(i.namesLost()) }),
	}
}

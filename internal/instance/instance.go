package instance

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ddns"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/events"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/follow"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/frugal"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/inventory"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease/pebblestore"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// Instance serves from one settings file.
type Instance struct {
	Settings settings.NetBox
	Chain    settings.Chain
	Engine   *lease.Engine
	Log      logrus.FieldLogger
	// Quiet is for what packets can cause without end (B-2).
	Quiet *quiet.Logger
	// Registry has the metrics of this instance.
	Registry *prometheus.Registry
	Metrics  *Metrics

	watching      sync.Mutex // one change of watches at a time
	watches       atomic.Pointer[[]*Watch]
	record        record
	feed          *events.Feed
	names         *ddns.Service         // nil: no name is registered
	namesFeed     atomic.Pointer[Watch] // nil before names are kept
	unserved      recent[lease.ClientID, Unserved]
	circuits      circuits
	others        recent[netip.Addr, OtherServer]
	problems      atomic.Pointer[[]ipam.Problem]
	pool          *Pool
	proxy         dhcp4.Handler
	boots         func(*dhcp4.Packet) bool // nil without netbox_pxe
	snapshot      atomic.Pointer[ipam.Snapshot]
	client        *netbox.Client          // nil with an inventory
	follower      *follow.Follower        // nil with an inventory, and in a rehearsal
	switches      *switches               // nil with an inventory
	store         lease.Store             // of a rehearsal
	inventoryRead atomic.Pointer[edition] // nil: none is used
	restsOn       []string                // of a rehearsal
	// storeOpen is the store on disk; nil while there is none (H-5).
	storeOpen atomic.Pointer[pebblestore.Store]
	copyHeld  atomic.Bool // the folder of the second copy is this server's (H-10)
	classes   classes     // of config contexts, and when they matched (OPT-12)
	stop      context.CancelFunc
	running   sync.WaitGroup
	disks     sync.WaitGroup // work on disks, which may hang: nothing waits long for it
}

// StoreError says that the lease store cannot be opened. It is trouble of this
// machine and no mistake in the settings (E-1).
type StoreError struct{ err error }

func (e *StoreError) Error() string { return "open lease store: " + e.err.Error() }

// Unwrap returns the cause.
func (e *StoreError) Unwrap() error { return e.err }

// start builds and starts an instance. Network trouble is no error: it serves
// what it knows and keeps trying (H-1). A rehearsal without a copy of
// NetBox on disk needs it now.
func (p *Pool) start(file *settings.File, log logrus.FieldLogger) (*Instance, error) {
	ctx, stop := context.WithCancel(context.Background())
	i := &Instance{
		Settings: file.NetBox,
		Chain:    file.Chain,
		Log:      log,
		Quiet:    quiet.New(log, time.Minute, time.Now),
		Registry: prometheus.NewRegistry(),
		pool:     p,
		stop:     stop,
	}
	i.feed = eventFeed(i)
	i.Metrics = newMetrics(i)
	if err := i.open(ctx); err != nil {
		return nil, errors.Join(err, i.Close())
	}
	return i, nil
}

func (i *Instance) open(ctx context.Context) error {
	engine, err := lease.NewEngine(ctx, i.engineConfig())
	if err != nil {
		return err
	}
	i.Engine = engine
	if i.pool.alone {
		return i.openAlone(ctx)
	}
	i.planNames()
	i.startCopy(ctx)
	if err := i.openStore(ctx); err != nil {
		return &StoreError{err}
	}
	i.startHistory(ctx)
	if !i.pool.Rehearse {
		i.running.Go(func() { i.Engine.WatchClock(ctx) })
		i.running.Go(func() { i.Engine.WatchQuarantine(ctx) })
		i.disks.Go(func() { i.keepClasses(ctx) })
		i.running.Go(func() { i.keepHeard(ctx) })
		if i.names != nil {
			i.disks.Go(func() { i.keepNames(ctx) })
		}
	}
	switch {
	case i.pool.Saved != nil:
		i.rehearseSaved(*i.pool.Saved)
		return nil
	case i.Settings.Inventory != "":
		i.rest("NetBox: the inventory %s", i.Settings.Inventory)
		if err := i.serveInventory(); err != nil {
			return err
		}
		if !i.pool.Rehearse {
			i.running.Go(func() { i.lookAtInventory(ctx) })
		}
		return nil
	case i.pool.Rehearse:
		err := i.rehearseNetBox(ctx)
		i.Engine.AwaitStore()
		return err
	}
	return i.followNetBox(ctx)
}

// SetBoots says which requests may wait for the redeploy switch. The
// netbox_pxe plugin calls it at setup.
func (i *Instance) SetBoots(boots func(req *dhcp4.Packet) bool) { i.boots = boots }

// MayWait reports whether a handler of ours may wait for NetBox while it works on
// req.
func (i *Instance) MayWait(req *dhcp4.Packet) bool {
	return i.switches != nil && i.boots != nil && i.boots(req)
}

// SetProxy makes h answer boot clients on the interfaces of pxe.proxy_dhcp
// . The netbox_pxe plugin calls it at setup.
func (i *Instance) SetProxy(h dhcp4.Handler) { i.proxy = h }

// Proxy returns the handler of SetProxy; nil where netbox_pxe is not in the
// chain.
func (i *Instance) Proxy() dhcp4.Handler { return i.proxy }

func (i *Instance) engineConfig() lease.Config {
	c := lease.Config{
		Policy:      policy(i.Settings),
		Now:         timeOfDay,
		Log:         i.Log,
		ProbeWait:   i.Settings.Lease.Probe,
		Committed:   i.Metrics.committed,
		Shown:       i.Metrics.leaseShown,
		WriteBack:   i.Settings.Inventory == "" && !i.pool.Rehearse && i.Settings.Dynamic.WriteBack != "none",
		MakeObjects: i.Settings.Dynamic.WriteBack == "leased",
	}
	command := i.pool.Rehearse || i.pool.alone
	if !command { // which would doubt the clock of the server that runs
		c.Clock = machineClock()
	}
	c.Probe, c.ARP, c.InUse = i.echo, i.arp, i.inUse
	if command { // which sends nothing
		c.ARP = nil
		if i.pool.Now != nil {
			c.Now = i.pool.Now
		}
		c.Probe = func(context.Context, netip.Addr, time.Duration) (bool, error) { return false, nil }
	}
	return c
}

// serveInventory serves from an inventory, which cannot go stale and is not
// written to.
func (i *Instance) serveInventory() error {
	read := editionOf(i.Settings.Inventory)
	snapshot, problems, err := Inventory(i.Settings)
	if err != nil {
		return err
	}
	i.inventoryRead.Store(&read)
	i.Log.WithField("inventory", i.Settings.Inventory).Info("facts come from an inventory, NetBox is not asked")
	for _, p := range problems {
		i.Log.WithField("object", p.Object).Warn(p.Text)
	}
	i.problems.Store(&problems)
	i.publish(snapshot)
	return nil
}

// Inventory reads the file that stands in for NetBox.
func Inventory(s settings.NetBox) (*ipam.Snapshot, []ipam.Problem, error) {
	defer frugal.Begin()()
	objects, err := inventory.Load(s.Inventory, inventory.Options{
		ContextKey: s.ContextKey,
		Fields:     s.Fields,
		GateFields: []string{s.PXE.RedeployField, s.PXE.ConfirmField},
	})
	if err != nil {
		return nil, nil, err
	}
	snapshot, problems := ipam.Build(objects, options(s))
	return snapshot, inventory.WithLines(s.Inventory, s.ContextKey, problems), nil
}

// options are the names that give NetBox data their meaning.
func options(s settings.NetBox) ipam.Options {
	return ipam.Options{VRF: s.VRF, DynamicTag: s.Dynamic.Tag, DynamicRoles: s.Dynamic.Roles, DynamicStatus: s.Dynamic.Status, GatewayTag: s.Gateway.Tag, Fallback: s.Gateway.Fallback,
		Relays: s.Network.RelayPrefixes(), ServeTag: s.Network.ServeTag, Serials: s.Claims.Serial, Circuits: len(s.Network.Circuits.Relays) > 0, NamedPorts: s.Inventory != ""}
}

// publish makes s the snapshot that answers are given from.
func (i *Instance) publish(s *ipam.Snapshot) {
	i.Engine.SetSnapshot(s)
	i.snapshot.Store(s)
	i.knowClasses(s.ClientClasses())
	if i.names != nil {
		i.names.SetSnapshot(s)
	}
	o := s.Objects()
	dynamic := 0
	for _, vrf := range s.DynamicVRFs() {
		dynamic += s.Pool(vrf).Len()
	}
	i.Log.WithFields(logrus.Fields{
		"prefixes": len(o.Prefixes), "addresses": len(o.Addresses), "dynamic": dynamic, "macs": len(o.MACs), "machines": len(o.Machines),
	}).Info("snapshot of NetBox replaced")
}

// Snapshot returns the current snapshot of NetBox; nil before the first one.
func (i *Instance) Snapshot() *ipam.Snapshot { return i.snapshot.Load() }

// Problems is what is wrong with the objects of the current snapshot, by object; the
// caller must not change it.
func (i *Instance) Problems() []ipam.Problem {
	if p := i.problems.Load(); p != nil {
		return *p
	}
	return nil
}

// Close stops the background work, tells NetBox what can be told quickly, and
// closes the store. Nothing is lost if it is never called (L-9).
func (i *Instance) Close() error {
	i.stop()
	i.running.Wait()
	i.leaveDisks()
	if i.store != nil {
		return i.store.Close()
	}
	if store := i.storeOpen.Load(); store != nil {
		return store.Close()
	}
	return nil
}

// diskPatience is how long the end waits for work on disks.
const diskPatience = time.Second

// leaveDisks waits a little, after the end of its context, for work on disks. A
// disk that hangs may hold it for ever.
func (i *Instance) leaveDisks() {
	ended := make(chan struct{})
	go func() {
		i.disks.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(diskPatience):
	}
}

// policy is the part of the settings that decides about leases.
func policy(s settings.NetBox) lease.Policy {
	p := lease.Policy{
		LeaseTime: s.Lease.Time, MinTime: s.Lease.Min, MaxTime: s.Lease.Max,
		OfferHold: s.Lease.OfferHold, DeclineTime: s.Lease.DeclineTime, ReclaimGrace: s.Lease.ReclaimGrace,
		Standby:      time.Duration(s.Lease.StandbySecs) * time.Second,
		StaleAfter:   s.Poll.StaleAfter,
		RefuseWithin: confirmedWithin(s),
		AllowUnknown: s.Dynamic.AllowUnknown, KeepForKnown: s.Dynamic.KeepForKnown,
		AnyLAGMember: s.Clients.LAG == "any", BindInterface: s.Clients.BindInterface,
		ByIdentifier: s.Lease.Identify == "client_id",
		StaticAtOnce: s.Lease.StaticAtOnce,
		Subnet:       firstHost(s.Network.Subnet),
		Claims:       lease.ClaimPolicy{Prefixes: s.Claims.Prefixes, Serial: s.Claims.Serial, Port: s.Claims.Port, Idle: s.Claims.Idle},
		Circuits:     lease.CircuitPolicy{Relays: s.Network.Circuits.RelayPrefixes(), Formats: s.Network.Circuits.ParseFormats()},
	}
	if s.Lease.Pick == "hash" {
		p.Pick = lease.Hash
	}
	return p
}

// firstHost returns an address inside p, or the zero Addr for the zero Prefix.
func firstHost(p netip.Prefix) netip.Addr {
	if !p.IsValid() {
		return netip.Addr{}
	}
	if p.Bits() >= 31 {
		return p.Addr()
	}
	return p.Masked().Addr().Next()
}

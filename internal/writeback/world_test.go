package writeback

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

const (
	alice   = lease.ClientID("52:54:00:00:00:0A")
	bob     = lease.ClientID("52:54:00:00:00:0B")
	dhcpTag = int64(1)
)

// portOfAlice owns alice's MAC, portOfBob bob's.
var (
	portOfAlice = ipam.InterfaceID{Kind: ipam.Device, ID: 31}
	portOfBob   = ipam.InterfaceID{Kind: ipam.VirtualMachine, ID: 31}
)

// host is the n-th address of the network of the tests.
func host(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}) }

// oneNetwork is the snapshot of a NetBox with one network and n dynamic addresses
// from host(1) on, whose ids are 1000 and their number. edit may change it.
func oneNetwork(t *testing.T, n int, edit func(o *ipam.Objects)) *ipam.Snapshot {
	t.Helper()
	mac := func(c lease.ClientID) ipam.MAC {
		m, err := ipam.ParseMAC(string(c))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	o := &ipam.Objects{
		VRFs:      map[int64]*ipam.VRF{7: {ID: 7, Name: "red"}},
		Prefixes:  map[int64]*ipam.Prefix{1: {ID: 1, Prefix: netip.MustParsePrefix("10.0.0.0/16"), Status: "active"}},
		Tags:      map[int64]*ipam.Tag{dhcpTag: {ID: dhcpTag, Name: "DHCP"}},
		Addresses: make(map[int64]*ipam.Address),
		MACs: map[int64]*ipam.MACAddress{
			1: {ID: 1, MAC: mac(alice), Interface: portOfAlice},
			2: {ID: 2, MAC: mac(bob), Interface: portOfBob},
		},
		Interfaces: map[ipam.InterfaceID]*ipam.Interface{
			portOfAlice: {ID: portOfAlice, Name: "eth0", Machine: ipam.MachineID{Kind: ipam.Device, ID: 1}},
			portOfBob:   {ID: portOfBob, Name: "eth0", Machine: ipam.MachineID{Kind: ipam.VirtualMachine, ID: 1}},
		},
		Machines: map[ipam.MachineID]*ipam.Machine{
			{Kind: ipam.Device, ID: 1}:         {ID: ipam.MachineID{Kind: ipam.Device, ID: 1}},
			{Kind: ipam.VirtualMachine, ID: 1}: {ID: ipam.MachineID{Kind: ipam.VirtualMachine, ID: 1}},
		},
	}
	for i := 1; i <= n; i++ {
		o.Addresses[int64(1000+i)] = &ipam.Address{
			ID: int64(1000 + i), Address: netip.PrefixFrom(host(i), 16), Status: "active", Tags: []int64{dhcpTag},
		}
	}
	if edit != nil {
		edit(o)
	}
	s, _ := ipam.Build(o, ipam.Options{DynamicTag: "DHCP"})
	return s
}

// fakeEngine is the queue of unsynced leases, with the promises of the real
// one: oldest change first, and a mark goes only if the lease is still as told.
type fakeEngine struct {
	mu     sync.Mutex
	queue  []netip.Addr
	leases map[netip.Addr]lease.Lease
	synced map[netip.Addr]time.Time // with which time marks went
	news   chan struct{}
	broken error // answer of Synced
}

func (e *fakeEngine) change(leases ...lease.Lease) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range leases {
		l.Unsynced = true
		e.leases[l.Addr] = l
		if !slices.Contains(e.queue, l.Addr) {
			e.queue = append(e.queue, l.Addr)
		}
	}
	select {
	case e.news <- struct{}{}:
	default:
	}
}

func (e *fakeEngine) Unsynced(limit int) []lease.Lease {
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []lease.Lease
	for _, addr := range e.queue {
		if len(list) == limit {
			break
		}
		list = append(list, e.leases[addr])
	}
	return list
}

func (e *fakeEngine) Synced(_ context.Context, l lease.Lease, at time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.broken != nil {
		return e.broken
	}
	if e.leases[l.Addr] != l {
		return nil
	}
	l.Unsynced = false
	e.leases[l.Addr] = l
	e.synced[l.Addr] = at
	e.queue = slices.DeleteFunc(e.queue, func(a netip.Addr) bool { return a == l.Addr })
	return nil
}

func (e *fakeEngine) left() int { return len(e.Unsynced(-1)) }

// call is one call of Write.
type call struct {
	at      time.Duration // since the test began
	changes []RecordChange
}

// rig is a Writer at work between a fake engine and a fake NetBox, on the
// clock of a synctest bubble.
type rig struct {
	*testing.T
	began  time.Time
	engine *fakeEngine
	config Config
	logged *test.Hook
	stop   context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex
	calls []call
	// answer decides what becomes of one change; nil: done.
	answer   func(c RecordChange) RecordResult
	snapshot *ipam.Snapshot
}

func newRig(t *testing.T) *rig {
	t.Helper()
	log, hook := test.NewNullLogger()
	log.SetLevel(logrus.InfoLevel)
	r := &rig{T: t, began: time.Now(), logged: hook, snapshot: oneNetwork(t, 10, nil), done: make(chan struct{})}
	r.engine = &fakeEngine{leases: make(map[netip.Addr]lease.Lease), synced: make(map[netip.Addr]time.Time), news: make(chan struct{}, 1)}
	r.config = Config{
		Unsynced: r.engine.Unsynced, Synced: r.engine.Synced, UnsyncedC: r.engine.news,
		Snapshot: func() *ipam.Snapshot { r.mu.Lock(); defer r.mu.Unlock(); return r.snapshot },
		Write:    r.write, Log: log,
	}
	return r
}

// run starts the Writer; it ends with the test if the test does not end it.
func (r *rig) run() {
	ctx, cancel := context.WithCancel(r.Context())
	r.stop = cancel
	writer := New(r.config)
	go func() { defer close(r.done); writer.Run(ctx) }()
	r.Cleanup(func() { cancel(); <-r.done })
}

func (r *rig) write(_ context.Context, changes []RecordChange) []RecordResult {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, call{time.Since(r.began), slices.Clone(changes)})
	results := make([]RecordResult, len(changes))
	for i, c := range changes {
		if r.answer == nil {
			results[i] = RecordResult{Outcome: netbox.Done, LastUpdated: time.Now()}
		} else {
			results[i] = r.answer(c)
		}
	}
	return results
}

func (r *rig) answerWith(answer func(c RecordChange) RecordResult) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func (r *rig) show(s *ipam.Snapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.snapshot = s
}

// after lets time pass on the clock of the bubble, until nothing moves any more.
func (r *rig) after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// written returns the calls of Write so far and forgets them.
func (r *rig) written() []call {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := r.calls
	r.calls = nil
	return calls
}

// lines counts log entries with a message.
func (r *rig) lines(message string) int {
	n := 0
	for _, e := range r.logged.AllEntries() {
		if e.Message == message {
			n++
		}
	}
	return n
}

// bound is a lease of host(n) to alice that runs for an hour from now.
func bound(n int) lease.Lease {
	return lease.Lease{Addr: host(n), Client: alice, State: lease.Bound,
		Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Second), Unsynced: true}
}

package program

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/follow"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease/pebblestore"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/integration"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/relay"
)

// A campus has as many addresses in a pool as on devices, and a lease for each
// address of the pool.
const campusHalf = 50_000

// BenchmarkStart starts the server on a campus of 100 000 addresses with 50 000
// leases in its store, and tells when a known host and a leasing client have
// their first answer, and how much memory it takes.
//
//	go test -run '^$' -bench Start -benchtime 3x ./test/program
func BenchmarkStart(b *testing.B) {
	for _, c := range []struct {
		name  string
		facts string // setting
		write func(*testing.B, settings.NetBox)
	}{
		{"disk copy, NetBox away", "url: http://127.0.0.1:9", writeCampusCopy}, // nobody listens there
		{"inventory", "inventory: inventory.yml", writeCampusInventory},
		{"inventory, a range of a million addresses", "inventory: inventory.yml", writeCampusRange},
	} {
		b.Run(c.name, func(b *testing.B) {
			addr := integration.FreePort(b)
			conf := filepath.Join(b.TempDir(), "config.yml")
			write(b, conf, fmt.Sprintf(campusSettings, addr, c.facts))
			b.Setenv("NETBOX_TOKEN", limitedToken)
			file, err := settings.Load(conf)
			if err != nil {
				b.Fatal(err)
			}
			c.write(b, file.NetBox)
			writeCampusLeases(b, file.NetBox)
			var sum footprint
			for b.Loop() {
				sum = sum.plus(footprintOf(b, conf, addr))
			}
			sum.report(b)
			b.ReportMetric(float64(sizeOf(b, filepath.Dir(conf)))/1e6, "disk-MB")
		})
	}
}

const campusSettings = `server4:
  listen: "%s"
  plugins: [{netbox: }, {netbox_gateway: }, {netbox_dns: 10.77.0.53}, {nak: authoritative}]
netbox:
  %s
  network: {relays: [127.0.0.0/8]}
  store: {path: state}
  control: {folder: run}
`

// footprint is what one start took.
type footprint struct {
	known, leasing, used time.Duration // to the first answers, and processor time by then
	peakK, restK         int64         // resident at most, and some seconds after the start
}

func (f footprint) plus(g footprint) footprint {
	return footprint{f.known + g.known, f.leasing + g.leasing, f.used + g.used, max(f.peakK, g.peakK), max(f.restK, g.restK)}
}

func (f footprint) report(b *testing.B) {
	b.Helper()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(f.known.Seconds()/float64(b.N), "s-to-known-host")
	b.ReportMetric(f.leasing.Seconds()/float64(b.N), "s-to-lease")
	b.ReportMetric(f.used.Seconds()/float64(b.N), "cpu-s-to-lease")
	b.ReportMetric(float64(f.peakK)/1000, "peak-MB")
	b.ReportMetric(float64(f.restK)/1000, "rest-MB")
}

// sizeOf is how many bytes the files below a folder have: the store, and the copies of
// NetBox.
func sizeOf(b *testing.B, folder string) (size int64) {
	b.Helper()
	err := filepath.WalkDir(folder, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return size
}

// footprintOf starts a server, waits for its first answers, and ends it.
func footprintOf(b *testing.B, conf, addr string) (f footprint) {
	b.Helper()
	cmd := exec.Command(binary, "serve", "--conf", conf, "--loglevel", "error")
	cmd.Env = append(os.Environ(), "HOME="+b.TempDir())
	cmd.Stderr = os.Stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }() // fails if it has ended
	f.known = firstAnswer(b, addr, "10.2.0.1", campusHost(40_000)).Sub(began)
	f.leasing = firstAnswer(b, addr, "10.1.0.1", campusClient(40_000)).Sub(began)
	f.used = processorTime(b, cmd.Process.Pid)
	time.Sleep(5 * time.Second) // for what the start leaves behind
	f.peakK, f.restK = memoryOf(b, cmd.Process.Pid, "VmHWM:"), memoryOf(b, cmd.Process.Pid, "VmRSS:")
	if err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait()); err != nil {
		b.Fatal(err)
	}
	return f
}

// firstAnswer asks until the server answers, and tells when.
func firstAnswer(b *testing.B, addr, link string, mac net.HardwareAddr) time.Time {
	b.Helper()
	a, err := relay.New(addr, netip.MustParseAddr(link))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	a.Silence = 20 * time.Millisecond
	discover, err := dhcpv4.NewDiscovery(mac)
	if err != nil {
		b.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, err := a.Exchange(discover); err == nil { // refused while nobody listens
			return time.Now()
		}
	}
	b.Fatal("no answer within a minute")
	return time.Time{}
}

// processorTime is what a process has used so far.
func processorTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, _ := strconv.ParseInt(fields[11], 10, 64)           // the kernel's own number
	system, _ := strconv.ParseInt(fields[12], 10, 64)         // the kernel's own number
	return time.Duration(user+system) * 10 * time.Millisecond // its ticks
}

// memoryOf reads a line of a process's status, in KiB.
func memoryOf(b *testing.B, pid int, key string) int64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, key); ok {
			k, _ := strconv.ParseInt(strings.Fields(value)[0], 10, 64) // the kernel's own number
			return k
		}
	}
	b.Fatalf("no %s in the status of process %d", key, pid)
	return 0
}

func campusHost(n int) net.HardwareAddr   { return campusMAC(1, n) }
func campusClient(n int) net.HardwareAddr { return campusMAC(2, n) }

func campusMAC(kind byte, n int) net.HardwareAddr {
	return net.HardwareAddr{0x52, 0x54, kind, byte(n >> 16), byte(n >> 8), byte(n)}
}

// campusAddr is an address of 10.1.0.0/16, the pool, or 10.2.0.0/16, the devices.
func campusAddr(net byte, n int) netip.Addr {
	n += 2
	return netip.AddrFrom4([4]byte{10, net, byte(n >> 8), byte(n)})
}

// campusLease is what client n of the pool holds.
func campusLease(n int) lease.Lease {
	expires := time.Now().Add(12 * time.Hour).Add(time.Duration(n) * time.Second).UTC().Truncate(time.Second)
	client := lease.ClientID(strings.ToUpper(campusClient(n).String()))
	return lease.Lease{
		Addr: campusAddr(1, n), Client: client, State: lease.Bound, Expires: expires, Hostname: fmt.Sprintf("laptop-%d", n),
		SyncedAt: time.Now().Add(-time.Hour).UTC().Truncate(time.Microsecond), ToldClient: client, ToldExpires: expires,
	}
}

// writeCampusCopy writes the disk copy of a NetBox with the campus.
func writeCampusCopy(b *testing.B, s settings.NetBox) {
	b.Helper()
	key, err := json.Marshal([]any{
		follow.Fields{MAC: s.Fields.MAC, Expire: s.Fields.Expire, Hostname: s.Fields.Hostname},
		s.ContextKey, []string{s.PXE.RedeployField, s.PXE.ConfirmField},
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := os.MkdirAll(s.Store.Path, 0o700); err != nil {
		b.Fatal(err)
	}
	disk := ipam.Disk{URL: s.URL, Key: string(key), Taken: time.Now(), Objects: campus()}
	if err := ipam.WriteDiskFile(filepath.Join(s.Store.Path, "netbox.snapshot"), disk); err != nil {
		b.Fatal(err)
	}
}

func campus() *ipam.Objects {
	at := time.Now().Add(-24 * time.Hour).UTC().Truncate(time.Microsecond)
	context := json.RawMessage(`{"dns_servers":["10.255.0.1","10.255.0.2"],"domain_name":"example.org","tftp_server":"10.255.0.3","pxe_boot_file":"pxelinux.0"}`)
	o := &ipam.Objects{
		Tags: map[int64]*ipam.Tag{1: {ID: 1, Name: "DHCP", Slug: "dhcp"}, 2: {ID: 2, Name: "Gateway", Slug: "gateway"}},
		Prefixes: map[int64]*ipam.Prefix{
			1: {ID: 1, Prefix: netip.MustParsePrefix("10.1.0.0/16"), Status: "active", LastUpdated: at},
			2: {ID: 2, Prefix: netip.MustParsePrefix("10.2.0.0/16"), Status: "active", LastUpdated: at},
		},
		Addresses:  make(map[int64]*ipam.Address),
		MACs:       make(map[int64]*ipam.MACAddress),
		Interfaces: make(map[ipam.InterfaceID]*ipam.Interface),
		Machines:   make(map[ipam.MachineID]*ipam.Machine),
	}
	for i := range campusHalf {
		id, held := int64(i+1), campusLease(i)
		pooled := campusHalf + id
		o.Addresses[pooled] = &ipam.Address{
			ID: pooled, Address: netip.PrefixFrom(held.Addr, 16), Status: "active", Tags: []int64{1}, LastUpdated: held.SyncedAt, Created: at,
			Record: ipam.Record{Client: string(held.Client), Expires: held.Expires, Hostname: held.Hostname},
		}
		port, machine := ipam.InterfaceID{Kind: ipam.Device, ID: id}, ipam.MachineID{Kind: ipam.Device, ID: id}
		o.Addresses[id] = &ipam.Address{ID: id, Address: netip.PrefixFrom(campusAddr(2, i), 16), Status: "active", Interface: port, LastUpdated: at, Created: at}
		o.MACs[id] = &ipam.MACAddress{ID: id, MAC: ipam.MAC(campusHost(i)), Interface: port, LastUpdated: at}
		o.Interfaces[port] = &ipam.Interface{ID: port, Name: "eth0", Machine: machine, LastUpdated: at}
		o.Machines[machine] = &ipam.Machine{ID: machine, Name: fmt.Sprintf("host-%d", i), PrimaryIP4: id, Context: context, LastUpdated: at}
	}
	return o
}

// writeCampusInventory writes the same as a file, each address as an entry.
func writeCampusInventory(b *testing.B, s settings.NetBox) {
	b.Helper()
	var y strings.Builder
	y.WriteString("prefixes: [{prefix: 10.1.0.0/16}, {prefix: 10.2.0.0/16}]\n")
	y.WriteString("config_contexts:\n  - name: all\n    data:\n      " + s.ContextKey + ": {dns_servers: [10.255.0.1, 10.255.0.2], domain_name: example.org}\nip_addresses:\n")
	for i := range campusHalf {
		held := campusLease(i)
		fmt.Fprintf(&y, "  - {address: %s/16, tags: [DHCP], custom_fields: {%s: \"%s\", %s: \"%s\"}}\n",
			held.Addr, s.Fields.MAC, held.Client, s.Fields.Expire, held.Expires.Format(time.RFC3339))
	}
	writeCampusDevices(&y)
	write(b, s.Inventory, y.String())
}

// writeCampusRange writes the devices, and in place of the addresses of the pool one
// range of a million, which the leases lie in (N-14).
func writeCampusRange(b *testing.B, s settings.NetBox) {
	b.Helper()
	var y strings.Builder
	y.WriteString("prefixes: [{prefix: 10.0.0.0/12}, {prefix: 10.2.0.0/16}]\n" +
		"ip_ranges: [{start_address: 10.0.0.2/12, end_address: 10.15.255.254/12, tags: [DHCP]}]\n")
	writeCampusDevices(&y)
	write(b, s.Inventory, y.String())
}

func writeCampusDevices(y *strings.Builder) {
	y.WriteString("devices:\n")
	for i := range campusHalf {
		fmt.Fprintf(y, "  - name: host%d\n    interfaces:\n      - {name: eth0, mac_address: \"%s\", ip_addresses: [{address: %s/16}]}\n", i, campusHost(i), campusAddr(2, i))
	}
}

// writeCampusLeases fills the store.
func writeCampusLeases(b *testing.B, s settings.NetBox) {
	b.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	store, err := pebblestore.Open(filepath.Join(s.Store.Path, "leases"), log)
	if err != nil {
		b.Fatal(err)
	}
	group := make([]lease.Change, campusHalf)
	for i := range group {
		group[i].Next = campusLease(i)
	}
	for part := range slices.Chunk(group, 256) {
		if err := errors.Join(store.CommitGroup(b.Context(), part)...); err != nil {
			b.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}
}

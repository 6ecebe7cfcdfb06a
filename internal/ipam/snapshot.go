package ipam

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/gaissmai/bart"
)

// Options say which names in NetBox mean what; they come from the settings.
type Options struct {
	VRF           string // name or RD; empty: global table, else the only VRF that matches (N-3)
	DynamicTag    string // name or slug, compared without case
	DynamicStatus string // additionally dynamic; empty: none
	// DynamicRoles are names or slugs of IPAM roles, compared without case: ranges
	// of these roles are pools, too.
	DynamicRoles []string
	GatewayTag   string // name or slug, compared without case
	// Fallback is the gateway of networks without a tagged one, which no range gives to
	// a client (N-14); the zero Addr: none.
	Fallback netip.Addr
	// ServeTag is the name or slug of the tag of prefixes that are served; empty: all
	// are (N-20).
	ServeTag string
	// Expiries are the texts of expiries that are no time, by the id of the
	// address, as far as they are known; they only explain problems (P-17).
	Expiries map[int64]string
	// Followed is what the names led to so far, as the snapshot before told.
	Followed map[string]Followed
	// Relays are the addresses of network.relays; empty: those in any prefix of
	// NetBox (N-10).
	Relays []netip.Prefix
	// Serials says that devices are looked for by their serial number (CL-5).
	Serials bool
	// Circuits says that circuits of relays lead to ports of switches, so that ports and
	// the far ends of their cables count (CL-20).
	Circuits bool
	// NamedPorts says that the ids of interfaces are those of lines in a file, so that
	// marks tell ports by their names (CL-16).
	NamedPorts bool
}

// Problem is something in the data that costs only the object it names (B-4).
type Problem struct {
	Object string // "prefix 10.0.0.0/24 (id 3)"
	Text   string
}

// String joins object and text for logs.
func (p Problem) String() string { return p.Object + ": " + p.Text }

// ErrNoSubnet says that no active or reserved prefix holds an address (N-4).
var ErrNoSubnet = errors.New("no active or reserved prefix holds the address")

// AmbiguousVRFError says that an address is in prefixes of several VRFs and
// none was configured (N-3).
type AmbiguousVRFError struct {
	Addr netip.Addr
	VRFs []string
}

func (e *AmbiguousVRFError) Error() string {
	return fmt.Sprintf("%s is in prefixes of the VRFs %s: set netbox.vrf", e.Addr, strings.Join(e.VRFs, ", "))
}

// Snapshot is what NetBox held at one moment, and what answers are given from:
// the tables of Objects with the look-ups a packet needs. It never changes after
// Build and is safe for concurrent use. Slices it returns must not be modified.
type Snapshot struct {
	objects               *Objects
	dynamicTag            int64 // 0: no such tag
	gatewayTag            int64
	dynamicStatus         string
	vrf                   int64 // configured VRF; anyVRF, noVRF
	subnets               map[int64]*bart.Table[*Subnet]
	byMAC                 map[MAC][]*Interface
	macsOf                map[InterfaceID][]MAC
	members               map[InterfaceID][]*Interface
	assigned              map[InterfaceID][]*Address
	linked                map[InterfaceID][]*Address    // by bridges and sub-interfaces, see link
	byHost                map[int64]map[uint32]*Address // by VRF and address, see hosted
	disputed              map[*Address]bool             // see markDisputed
	contests              []Contest
	recorded              map[string][]*Address
	bySerial              map[string]*Machine // nil values: several devices have it
	reservedMAC           map[MAC][]*Address  // see indexReservations
	dynamic               map[int64][]*Address
	pieces                map[int64][]piece  // of ranges that are pools, by VRF and address
	hosts                 map[int64][]uint32 // addresses in pieces that are objects, by VRF, in order
	pools                 map[int64]*Pool
	gateways              map[int64][]*Address
	gatewayNets           map[int64]*bart.Table[struct{}] // networks by the masks of gateways
	configs               map[string]*Config
	contexts              clientContexts
	serveAll              bool // no tag is asked for (N-20)
	serveTag, formerServe int64
	poolTags              poolTags
	reservedID            map[string][]*Address // by the bytes of option 61
	ofDevice              map[MachineID][]*Address
	portsOf               map[MachineID][]*Interface // without circuits: nil
	byName, byHostName    map[string]*Machine        // devices, see indexSwitchNames
	marked                map[int64]*Interface       // ports with a cable by their marks; nil: ids are marks
	sharedHosts           map[hostKey][]*Address     // with several objects; without circuits: nil
	linkMACs              map[*Address][]MAC         // of the ports that are given an address by links

	followed      map[string]Followed
	formerTag     int64 // ids that the names led to before; 0: none
	formerGateway int64
	formerVRF     int64
	poolRoles     map[int64]Loss // by id; Lost: a role that the name in the settings has left
	lostTag       Loss           // of the dynamic tag
	lostVRFs      map[int64]Loss
	lostMACs      map[MAC]Loss
	endedPrefixes []*Prefix
	losses        []LossCount
	doubtful      bool
	relays        []netip.Prefix     // of the settings
	known         *bart.Lite         // all prefixes, of any VRF and status
	relayMachines map[MachineID]bool // have an address of relays
	addressVRFs   []int64            // that have an address
}

const (
	anyVRF int64 = -1 // none configured
	noVRF  int64 = -2 // configured, not in NetBox
)

type hostKey struct {
	vrf  int64
	host netip.Addr
}

// Build indexes o. It keeps o and never changes it. The same tables give the
// same problems in the same order; bad data costs only the object concerned.
func Build(o *Objects, opt Options) (*Snapshot, []Problem) {
	b := builder{expiries: opt.Expiries, s: &Snapshot{
		objects:       o,
		dynamicStatus: opt.DynamicStatus,
		configs:       make(map[string]*Config),
	}}
	b.names(opt)
	b.indexInterfaces()
	b.cutRanges(opt.Fallback)
	others := b.indexAddresses()
	b.link()
	shared := b.s.withOthers(others)
	b.findContests(shared)
	contexts := b.indexSubnets()
	b.indexRelays(opt.Relays)
	b.relateSubnets()
	b.indexPools()
	b.masks()
	b.partlyServed()
	b.countLosses()
	machines := b.parseMachineConfigs()
	contexts.machines(machines)
	if opt.Serials {
		b.indexSerials()
	}
	if opt.Serials || opt.Circuits {
		b.s.linkMACs = b.s.hostsByLink()
	}
	if opt.Circuits {
		b.indexPorts()
		b.indexSwitchNames()
		b.markPorts(opt.NamedPorts)
		b.s.sharedHosts = shared
	}
	b.indexPoolTags()
	slices.SortFunc(b.problems, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.Object, b.Object), strings.Compare(a.Text, b.Text))
	})
	return b.s, b.problems
}

// Objects returns the tables the snapshot was built from.
func (s *Snapshot) Objects() *Objects { return s.objects }

// Subnet returns the smallest active or reserved prefix of the configured VRF
// that holds an address; a /32 only where no other does (N-3). See Network for
// where a client is. It returns ErrNoSubnet or an *AmbiguousVRFError.
func (s *Snapshot) Subnet(addr netip.Addr) (*Subnet, error) {
	if s.vrf != anyVRF {
		n, err := s.subnetIn(s.vrf, addr)
		if err != nil && s.formerVRF != 0 {
			return s.subnetIn(s.formerVRF, addr)
		}
		return n, err
	}
	if n, err := s.subnetIn(0, addr); err == nil {
		return n, nil
	}
	var found *Subnet
	var names []string
	for vrf := range s.subnets {
		if n, err := s.subnetIn(vrf, addr); err == nil && vrf != 0 {
			found = n
			names = append(names, s.VRFName(vrf))
		}
	}
	switch len(names) {
	case 0:
		return nil, ErrNoSubnet
	case 1:
		return found, nil
	}
	slices.Sort(names)
	return nil, &AmbiguousVRFError{Addr: addr, VRFs: names}
}

func (s *Snapshot) subnetIn(vrf int64, addr netip.Addr) (*Subnet, error) {
	n := s.smallest(vrf, addr)
	switch {
	case n == nil:
		return nil, ErrNoSubnet
	case n.lone():
		return n.wider, nil
	}
	return n, nil
}

// ServesAll reports whether the settings name no tag of prefixes that are served (N-20).
func (s *Snapshot) ServesAll() bool { return s.serveAll }

// Served reports whether clients in n are served: those of a prefix that carries the
// tag of the settings, where one is named there (N-20).
func (s *Snapshot) Served(n *Subnet) bool {
	return s.serveAll || s.serveTag != 0 && slices.Contains(n.Tags, s.serveTag) ||
		s.formerServe != 0 && slices.Contains(n.Tags, s.formerServe)
}

// VRFName names a VRF for people.
func (s *Snapshot) VRFName(id int64) string {
	if id == 0 {
		return "global table"
	}
	if vrf := s.objects.VRFs[id]; vrf != nil {
		return vrf.Name
	}
	return fmt.Sprintf("VRF id %d", id)
}

// InterfacesWithMAC returns every interface that owns a MAC object with m, by
// kind and id.
func (s *Snapshot) InterfacesWithMAC(m MAC) []*Interface { return s.byMAC[m] }

// Interface returns an interface, or nil.
func (s *Snapshot) Interface(id InterfaceID) *Interface { return s.objects.Interfaces[id] }

// Machine returns a device or virtual machine, or nil.
func (s *Snapshot) Machine(id MachineID) *Machine { return s.objects.Machines[id] }

// Members returns the member ports of an aggregate, by id.
func (s *Snapshot) Members(lag InterfaceID) []*Interface { return s.members[lag] }

// MACs returns the MACs an interface owns.
func (s *Snapshot) MACs(id InterfaceID) []MAC { return s.macsOf[id] }

// Assigned returns the IPv4 addresses assigned to an interface, by address.
func (s *Snapshot) Assigned(id InterfaceID) []*Address { return s.assigned[id] }

// Address returns the object for a host address in a VRF, with any mask. Of
// several objects for one host it is the one with the lowest id. Without one it is
// an address of the range that is a pool there, else nil.
func (s *Snapshot) Address(vrf int64, host netip.Addr) *Address {
	if a := s.object(vrf, host); a != nil {
		return a
	}
	a := s.ofRange(vrf, host)
	if a == nil && s.formerVRF != 0 && vrf == s.vrf {
		return s.ofRange(s.formerVRF, host)
	}
	return a
}

// object is Address without the addresses of ranges.
func (s *Snapshot) object(vrf int64, host netip.Addr) *Address {
	a := s.hosted(vrf, host)
	if a == nil && s.formerVRF != 0 && vrf == s.vrf {
		return s.hosted(s.formerVRF, host)
	}
	return a
}

// hosted returns the object for a host address in a VRF with this id. Of several it is
// the one with the lowest id.
func (s *Snapshot) hosted(vrf int64, host netip.Addr) *Address {
	if !host.Is4() {
		return nil
	}
	return s.byHost[vrf][number(host)]
}

// VRFsOf names the VRFs, the global table among them, that have an object for a
// host address.
func (s *Snapshot) VRFsOf(host netip.Addr) []string {
	var names []string
	for _, vrf := range append([]int64{0}, slices.Sorted(maps.Keys(s.objects.VRFs))...) {
		if s.object(vrf, host) != nil {
			names = append(names, s.VRFName(vrf))
		}
	}
	return names
}

// sameVRF reports whether an address of VRF a belongs to a network of VRF n:
// what is in the VRF that the settings meant before keeps being served (T-6).
func (s *Snapshot) sameVRF(a, n int64) bool {
	return a == n || s.formerVRF != 0 && a == s.formerVRF && n == s.vrf
}

// Serves reports whether a may be a static address of a client in n, as far as
// VRFs go.
func (s *Snapshot) Serves(a *Address, n *Subnet) bool { return s.sameVRF(a.VRF, n.VRF) }

// Recorded returns the addresses whose record names the client key, by
// address.
func (s *Snapshot) Recorded(client string) []*Address { return s.recorded[client] }

// IsDynamic reports whether an address follows the dynamic rules, by tag or
// status, or because its range is a pool; one that names a client does not (CL-2).
// See Leasable for whether it can be given to a client.
func (s *Snapshot) IsDynamic(a *Address) bool {
	if a.names() {
		return false
	}
	return a.Range != nil || s.dynamicTag != 0 && slices.Contains(a.Tags, s.dynamicTag) ||
		s.formerTag != 0 && slices.Contains(a.Tags, s.formerTag) ||
		s.dynamicStatus != "" && a.Status == s.dynamicStatus
}

// DynamicTag returns the id of the tag that makes addresses dynamic; 0: none.
func (s *Snapshot) DynamicTag() int64 { return s.dynamicTag }

// IsGateway reports whether an address carries the gateway tag.
func (s *Snapshot) IsGateway(a *Address) bool {
	return s.gatewayTag != 0 && slices.Contains(a.Tags, s.gatewayTag) ||
		s.formerGateway != 0 && slices.Contains(a.Tags, s.formerGateway)
}

// PlainRole reports whether an address of this role may be leased at all:
// loopbacks and addresses shared between machines may not (I-5).
func PlainRole(role string) bool { return role == "" || role == "secondary" }

// StaticStatus reports whether an address of this status, assigned to an
// interface, is its static address (I-5). Status dhcp is NetBox's word for a
// reservation, unless the mirror of Windows servers wrote it.
func StaticStatus(a *Address) bool {
	switch a.Status {
	case "active", "reserved":
		return true
	case "dhcp":
		return !a.Managed
	}
	return false
}

// Leasable reports whether a dynamic address can be given to a client: not a
// gateway, not deprecated, of a plain role (N-5), and no second object for the
// same host says otherwise. One that was made for a lease can only as long as its
// range is a pool (S-17). Whether it is the network or broadcast address depends on N
// and is the caller's to check.
func (s *Snapshot) Leasable(a *Address) bool {
	if a.Made {
		if _, in := s.madeIn(a); !in {
			return false
		}
	}
	return a.Address.Addr().Is4() && s.IsDynamic(a) && !s.IsGateway(a) &&
		a.Status != "deprecated" && PlainRole(a.Role) && !s.disputed[a]
}

// Dynamic returns the objects of a VRF that new clients can be given, by address
// and without duplicates. Pool has the addresses of ranges as well.
func (s *Snapshot) Dynamic(vrf int64) []*Address { return s.dynamic[vrf] }

// DynamicVRFs returns the VRFs that have leasable addresses.
func (s *Snapshot) DynamicVRFs() []int64 { return slices.Sorted(maps.Keys(s.pools)) }

// Gateways returns the addresses that belong to n and have the gateway tag, by
// address, deprecated ones left out (G-2).
func (*Snapshot) Gateways(n *Subnet) []*Address { return n.gateways }

// MachineConfig returns the rendered context of m; never nil.
func (s *Snapshot) MachineConfig(m *Machine) *Config { return s.configs[string(m.Context)] }

// within cuts the part of list, sorted by address, that lies in p.
func within(list []*Address, p netip.Prefix) []*Address {
	first, last := p.Masked().Addr(), LastAddr(p)
	low, _ := slices.BinarySearchFunc(list, first, func(a *Address, host netip.Addr) int {
		return a.Address.Addr().Compare(host)
	})
	high, found := slices.BinarySearchFunc(list, last, func(a *Address, host netip.Addr) int {
		return a.Address.Addr().Compare(host)
	})
	if found {
		high++
	}
	return list[low:high]
}

// Span returns the half-open range of positions in list, which is sorted by
// address, that lie in p.
func Span(list []*Address, p netip.Prefix) (low, high int) {
	part := within(list, p)
	if len(part) == 0 {
		return 0, 0
	}
	low = slices.Index(list, part[0])
	return low, low + len(part)
}

// LastAddr returns the highest address of an IPv4 prefix, its broadcast
// address where it has one.
func LastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])|math.MaxUint32>>p.Bits())
	return netip.AddrFrom4(b)
}

// HostIn reports whether addr can be a host of p: inside, and neither network
// nor broadcast address unless p is a /31 or /32 (I-5).
func HostIn(p netip.Prefix, addr netip.Addr) bool {
	if !p.Contains(addr) {
		return false
	}
	return p.Bits() >= 31 || addr != p.Masked().Addr() && addr != LastAddr(p)
}

func compareHosts(a, b *Address) int {
	return cmp.Or(a.Address.Addr().Compare(b.Address.Addr()), cmp.Compare(a.ID, b.ID))
}

func compareInterfaces(a, b *Interface) int {
	return compareIDs(a.ID, b.ID)
}

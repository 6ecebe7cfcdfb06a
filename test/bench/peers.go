package main

import (
	"embed"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/bench/load"
)

// peer is a server that can be measured. Its command and its files are
// templates over a world.
type peer struct {
	name    string
	about   string
	command string
	files   []string // in conf/
	known   bool     // it knows its clients; else it leases from a pool
	wide    bool     // its pool is one range of a /12, whatever the number of clients
	most    int      // size of its pool, if its lists are too slow for more
	durable bool     // it syncs before it acknowledges
	bare    bool     // it knows nothing, so that no curve is of interest
	refuses bool     // it may offer one address to two clients and refuse the second
}

func peers() []peer {
	ours := "{{.Binary}} serve --loglevel warning --conf {{.Folder}}/ours.yml"
	kea := "kea-dhcp4 -c {{.Folder}}/kea.json"
	return []peer{
		{name: oursDyn, about: "this project, dynamic leases", command: ours, files: []string{"ours.yml", "inventory.yml"}, durable: true},
		{name: oursKnown, about: "this project, known hosts", command: ours, files: []string{"ours.yml", "inventory.yml"}, known: true},
		{name: "ours_range", about: "this project, dynamic leases from a range of a /12", command: ours, files: []string{"ours.yml", "inventory.yml"}, durable: true, wide: true},
		{name: stubPlain, about: "reads a request and writes a reply over it, knows nothing", command: "{{.Bench}} stub", known: true, bare: true},
		{name: stubGroup, about: "the same, and syncs a record of each ACK, many at once", command: "{{.Bench}} stub {{.Folder}}/log", known: true, bare: true, durable: true},
		{name: keaDyn, about: "Kea, memfile (no sync), pool", command: kea, files: []string{"kea.json"}},
		{name: keaKnown, about: "Kea, memfile (no sync), reservations", command: kea, files: []string{"kea.json"}, known: true},
		{name: coreDHCPFile, about: "CoreDHCP with its plugin file", command: "{{.Bench}} coredhcp {{.Folder}}/coredhcp.yml", files: []string{"coredhcp.yml", "hosts.txt"}, known: true},
		{name: "dnsmasq_dyn", about: "dnsmasq, pool", command: "dnsmasq -k -C {{.Folder}}/dnsmasq.conf -x {{.Folder}}/pid", files: []string{"dnsmasq.conf"}, most: 8192, refuses: true},
		{name: "dhcpd_dyn", about: "ISC dhcpd, pool", command: "dhcpd -4 -f -q -cf {{.Folder}}/dhcpd.conf -lf {{.Folder}}/dhcpd.leases -pf {{.Folder}}/pid {{.Interface}}",
			files: []string{"dhcpd.conf", "dhcpd.leases"}, most: 8192, durable: true},
	}
}

// Names of peers that goals speak of.
const (
	oursDyn      = "ours_dyn"
	oursKnown    = "ours_known"
	stubPlain    = "stub"
	stubGroup    = "stub_group"
	keaDyn       = "kea_dyn"
	keaKnown     = "kea_known"
	coreDHCPFile = "coredhcp_file"
)

// program is what must be installed for the peer; "" if the bench brings it.
func (p *peer) program() string {
	word := strings.Fields(p.command)[0]
	if strings.HasPrefix(word, "{{") {
		return ""
	}
	return word
}

// missing names the program that is not installed; "" if the peer can run.
func (p *peer) missing() string {
	program := p.program()
	if program == "" || lookPath(program) != program {
		return ""
	}
	return program
}

// lookPath finds a program also in the administrator's folders, which PATH may
// lack; what is nowhere stays as it is.
func lookPath(program string) string {
	for _, candidate := range []string{program, filepath.Join("/usr/local/sbin", program), filepath.Join("/usr/sbin", program), filepath.Join("/sbin", program)} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	return program
}

// world is what the templates of a peer see.
type world struct {
	Binary, Bench     string // programs: this project's, and the bench itself
	Folder, Interface string
	Server            netip.Addr
	Size              int // addresses of the pool, or known hosts
	Known, Wide       bool
	CPUs              int
	Page              bool // at page.sock in Folder
}

// First is the lowest address for clients.
func (w *world) First() netip.Addr {
	if w.Wide {
		return netip.AddrFrom4([4]byte{10, 128, 0, 1})
	}
	return clientAddress(1)
}

// Last is the highest address for clients.
func (w *world) Last() netip.Addr {
	if w.Wide {
		return netip.AddrFrom4([4]byte{10, 143, 255, 254})
	}
	return clientAddress(uint32(w.Size))
}

// Ranges are the addresses for clients in pieces, since an inventory of this
// project bounds each.
func (w *world) Ranges() (list []addressRange) {
	const most = 1 << 16
	for first := 1; first <= w.Size; first += most {
		list = append(list, addressRange{clientAddress(uint32(first)), clientAddress(uint32(min(first+most-1, w.Size)))})
	}
	return list
}

type addressRange struct{ First, Last netip.Addr }

// Hosts are the known clients.
func (w *world) Hosts() []knownHost {
	hosts := make([]knownHost, w.Size)
	for i := range hosts {
		client := uint32(i + 1)
		mac := load.MAC(client)
		hosts[i] = knownHost{Name: fmt.Sprintf("host%d", client), MAC: net.HardwareAddr(mac[:]), Address: clientAddress(client)}
	}
	return hosts
}

type knownHost struct {
	Name    string
	MAC     net.HardwareAddr
	Address netip.Addr
}

// clientAddress is the address of a known client.
func clientAddress(client uint32) netip.Addr {
	var raw [4]byte
	binary.BigEndian.PutUint32(raw[:], 10<<24+77<<16+255+client)
	return netip.AddrFrom4(raw)
}

// spare is how many addresses of a pool the load leaves free: for the client
// that asks whether the server is up, and for offers that were lost.
const spare = 1000

// clients are who asks a peer in this world.
func (w *world) clients() load.Clients {
	if w.Known {
		right := func(client uint32, a netip.Addr) bool { return a == clientAddress(client) }
		return load.Clients{First: 1, Count: w.Size, Known: true, Right: right}
	}
	return load.Clients{First: 1, Count: w.Size - spare, Right: w.inPool}
}

func (w *world) inPool(_ uint32, a netip.Addr) bool {
	return !a.Less(w.First()) && !w.Last().Less(a)
}

// probe is the client that asks whether the server is up.
func (w *world) probe() load.Clients {
	c := w.clients()
	if c.First = uint32(c.Count); !w.Known {
		c.First = 0xF0000001
	}
	c.Count, c.Known = 1, true
	return c
}

//go:embed conf
var configurations embed.FS

// prepare writes the peer's files and returns its command.
func (p *peer) prepare(w *world) (command []string, err error) {
	t, err := template.ParseFS(configurations, "conf/*")
	if err != nil {
		return nil, err
	}
	for _, name := range p.files {
		if err := writeTemplate(t, name, w); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	for word := range strings.FieldsSeq(p.command) {
		t, err := template.New("").Parse(word)
		if err != nil {
			return nil, err
		}
		var b strings.Builder
		if err := t.Execute(&b, w); err != nil {
			return nil, err
		}
		command = append(command, b.String())
	}
	command[0] = lookPath(command[0])
	return command, nil
}

func writeTemplate(t *template.Template, name string, w *world) error {
	file, err := os.Create(filepath.Join(w.Folder, name))
	if err != nil {
		return err
	}
	if err := t.ExecuteTemplate(file, name, w); err != nil {
		_ = file.Close() // the first error counts
		return err
	}
	return file.Close()
}

// choose returns the peers of the given names, all if there are none.
func choose(names string) ([]peer, error) {
	all := peers()
	if names == "" {
		return all, nil
	}
	var chosen []peer
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(all, func(p peer) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no peer is named %s; bench -peers lists them", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// Package policy is about tests of what clients are told: it reads files of cases that
// people write, judges answers by them, and reports. It asks nobody for an answer and
// knows nothing of packets.
package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/nearest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/option"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

// File is a file of cases.
type File struct {
	Snapshot string            `yaml:"snapshot"` // saved snapshot or inventory, from the folder of the file; empty: what the settings name
	At       string            `yaml:"at"`       // the time of day, RFC 3339; empty: when the snapshot was taken, else now
	Leases   string            `yaml:"leases"`   // none or current
	Clients  map[string]Client `yaml:"clients"`  // that cases can name
	Cases    []Case            `yaml:"cases"`

	Moment time.Time `yaml:"-"` // At; zero: not given
}

// Client is what several cases say of one client. A case wins over it.
type Client struct {
	MAC       string            `yaml:"mac"`
	Relay     string            `yaml:"relay"`
	Local     string            `yaml:"local"`
	Arch      string            `yaml:"arch"`
	CircuitID string            `yaml:"circuit_id"`
	RemoteID  string            `yaml:"remote_id"`
	Options   map[string]string `yaml:"options"`
}

// Case is one message, and what is expected of the answer. Keys have the names of the
// flags of explain.
type Case struct {
	Name       string            `yaml:"name"`
	Client     string            `yaml:"client"`
	MAC        string            `yaml:"mac"`
	Message    string            `yaml:"message"`
	Relay      string            `yaml:"relay"`
	Local      string            `yaml:"local"`
	Interface  string            `yaml:"interface"`
	Source     string            `yaml:"source"`
	Request    string            `yaml:"request"`
	Current    string            `yaml:"current"`
	ServerID   string            `yaml:"server_id"`
	Arch       string            `yaml:"arch"`
	Class      string            `yaml:"class"`
	UserClass  string            `yaml:"user_class"`
	Secs       int               `yaml:"secs"`
	Broadcast  bool              `yaml:"broadcast"`
	Options    map[string]string `yaml:"options"`
	SubOptions map[string]string `yaml:"sub_options"`
	CircuitID  string            `yaml:"circuit_id"`
	RemoteID   string            `yaml:"remote_id"`
	Expect     Expect            `yaml:"expect"`

	Line int `yaml:"-"`
}

// Expect is what an answer has to be. What is not named may be anything.
type Expect struct {
	Address    string            `yaml:"address"` // an address, a prefix that it is in, static or dynamic
	Options    map[string]string `yaml:"options"` // by name or number, values as explain prints them
	Absent     []string          `yaml:"absent"`  // options that are not in the answer
	NAK        bool              `yaml:"nak"`
	Silence    bool              `yaml:"silence"`
	Reason     string            `yaml:"reason"`
	Cites      string            `yaml:"rule"`        // the id of the rule that explain names
	BootFile   string            `yaml:"boot_file"`   // in the field file or option 67
	BootServer string            `yaml:"boot_server"` // in siaddr or option 66
}

// Mistake is one that only who makes the message finds.
type Mistake struct{ Key, Text string }

// Read reads a file. check finds what is wrong with the message of a case, whose keys
// are then named. The error is strictyaml.Problems, all mistakes at once.
func Read(name string, data []byte, check func(Case) []Mistake) (*File, error) {
	f := &File{Leases: "none"}
	report := strictyaml.Decode(name, data, f)
	report.OneOf("leases", f.Leases, "none", "current")
	if f.At != "" {
		var err error
		if f.Moment, err = time.Parse(time.RFC3339, f.At); err != nil {
			report.Addf("at", "want a time such as 2026-03-01T12:00:00Z, not %.40q", f.At)
		}
	}
	if len(f.Cases) == 0 {
		report.Addf("cases", "want a list of cases")
	}
	named := make(map[string]int)
	for i := range f.Cases {
		c, path := &f.Cases[i], fmt.Sprintf("cases[%d]", i)
		c.Line = report.Line(path)
		f.fill(report, path, c)
		if c.Name == "" {
			report.Addf(path+".name", "want a name for the case")
		} else if first, twice := named[c.Name]; twice {
			report.Addf(path+".name", "%q is the name of the case in line %d, too", c.Name, first)
		}
		named[c.Name] = c.Line
		c.Expect.check(report, path+".expect")
		for _, m := range check(*c) {
			report.Addf(path+"."+m.Key, "%s", m.Text)
		}
	}
	return f, report.Err()
}

// fill takes what the named client says.
func (f *File) fill(report *strictyaml.Report, path string, c *Case) {
	if c.Client == "" {
		return
	}
	client, known := f.Clients[c.Client]
	if !known {
		var names []string
		for name := range f.Clients {
			names = append(names, name)
		}
		slices.Sort(names)
		report.Addf(path+".client", "no such client in clients; %s", nearest.Suggest(c.Client, names))
		return
	}
	for _, p := range []struct {
		of   *string
		said string
	}{{&c.MAC, client.MAC}, {&c.Arch, client.Arch}, {&c.CircuitID, client.CircuitID}, {&c.RemoteID, client.RemoteID}} {
		if *p.of == "" {
			*p.of = p.said
		}
	}
	if c.Relay == "" && c.Local == "" && c.Interface == "" {
		c.Relay, c.Local = client.Relay, client.Local
	}
	for key, value := range client.Options {
		if _, own := c.Options[key]; own {
			continue
		}
		if c.Options == nil {
			c.Options = make(map[string]string)
		}
		c.Options[key] = value
	}
}

// check finds what is wrong with an expectation.
func (e *Expect) check(report *strictyaml.Report, path string) {
	lease := e.Address != "" || len(e.Options) > 0 || len(e.Absent) > 0 || e.BootFile != "" || e.BootServer != ""
	switch {
	case !lease && !e.NAK && !e.Silence && e.Reason == "" && e.Cites == "":
		report.Addf(path, "say what is expected: %s", "address, options, absent, boot_file, boot_server, nak, silence, reason or rule")
	case e.NAK && e.Silence:
		report.Addf(path, "want nak or silence, not both")
	case e.Silence && lease, e.NAK && (e.Address != "" || e.BootFile != "" || e.BootServer != ""):
		report.Addf(path, "an answer that is none, or a refusal, has no address and no boot data")
	}
	if e.Address != "" && e.Address != Static && e.Address != Dynamic {
		_, noAddr := netip.ParseAddr(e.Address)
		if _, noPrefix := netip.ParsePrefix(e.Address); noAddr != nil && noPrefix != nil {
			report.Addf(path+".address", "want an address such as 10.0.0.5, a prefix such as 10.0.0.0/24, static or dynamic, not %.40q", e.Address)
		}
	}
	for key := range e.Options {
		if _, err := option.Code(key); err != nil {
			report.Addf(path+".options."+key, "%v", err)
		}
	}
	for i, key := range e.Absent {
		if _, err := option.Code(key); err != nil {
			report.Addf(fmt.Sprintf("%s.absent[%d]", path, i), "%v", err)
		}
	}
}

// Words for addresses in Expect.
const (
	Static  = "static"  // assigned in NetBox
	Dynamic = "dynamic" // leased from a pool
)

// Architectures are words for option 93.
func Architectures() map[string]string {
	return map[string]string{"bios": "0", "uefi": "7", "uefi-arm64": "11", "uefi-http": "16", "uefi-arm64-http": "19"}
}

// place is the field of a reply that an option is in, as explain names it.
func place(key string) string {
	code, _ := option.Code(key) // was checked
	return fmt.Sprintf("option %3d", code)
}

// squeezed is a value without needless blanks.
func squeezed(value string) string { return strings.Join(strings.Fields(value), " ") }

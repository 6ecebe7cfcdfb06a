package ddns

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Entry is a record as people see it.
type Entry struct {
	Name    string     `json:"name"`
	Kind    string     `json:"kind"` // A or PTR
	Data    string     `json:"data"`
	Zone    string     `json:"zone"`
	Address netip.Addr `json:"address"`
	Client  string     `json:"client,omitempty"` // empty: its lease has ended
	State   string     `json:"state"`            // one of States
}

// States are what people see of a record. One that is held is the name of an address
// whose own name is another's or was refused.
func States() []string {
	return []string{string(Registered), pending, string(Conflict), string(Refused), held, removing}
}

const pending, held, removing = "pending", "held", "removing"

// shows is the state of a record of b as people see it.
func (b *Binding) shows(r *Record, old bool) string {
	switch {
	case old:
		return removing
	case r.State != Waiting && r.State != Sent:
		return string(r.State)
	case r == b.Reverse && b.Forward != nil && (b.Forward.State == Conflict || b.Forward.State == Refused):
		return held
	}
	return pending
}

// entriesOf lists the records of bindings, by address.
func entriesOf(bindings []Binding) []Entry {
	list := []Entry{}
	for _, b := range bindings {
		b.each(func(r *Record, old bool) {
			e := Entry{Name: shown(r.Owner), Kind: "A", Data: r.Addr.String(), Zone: shown(r.Zone), Address: b.Addr, Client: string(b.Client)}
			if r.Target != "" {
				e.Kind, e.Data = "PTR", shown(r.Target)
			}
			e.State = b.shows(r, old)
			if old {
				e.Client = ""
			}
			list = append(list, e)
		})
	}
	return list
}

// ZoneStatus is how a zone fares.
type ZoneStatus struct {
	Zone       string    `json:"zone"`
	Server     string    `json:"server,omitempty"` // empty: the zone is not in the settings
	Registered int       `json:"registered"`
	Pending    int       `json:"pending"`
	Conflicts  int       `json:"conflicts"`
	Refused    int       `json:"refused"`
	Removing   int       `json:"removing"`
	Trouble    string    `json:"trouble,omitempty"`
	Fix        string    `json:"fix,omitempty"`
	Since      time.Time `json:"since,omitzero"` // of the trouble
}

// statusOf counts records by zone. Zones of the settings stand first, in their order.
func statusOf(zones []Zone, entries []Entry) []ZoneStatus {
	list := make([]ZoneStatus, 0, len(zones))
	at := make(map[string]int)
	for _, z := range zones {
		name := shown(fqdn(z.Name))
		at[name] = len(list)
		list = append(list, ZoneStatus{Zone: name, Server: z.Server.String()})
	}
	for _, e := range entries {
		i, known := at[e.Zone]
		if !known {
			i = len(list)
			at[e.Zone] = i
			list = append(list, ZoneStatus{Zone: e.Zone})
		}
		switch z := &list[i]; e.State {
		case string(Registered):
			z.Registered++
		case string(Conflict):
			z.Conflicts++
		case string(Refused):
			z.Refused++
		case removing:
			z.Removing++
		case pending:
			z.Pending++
		}
	}
	return list
}

// Report is what is registered, and how zones fare.
type Report struct {
	Zones   []ZoneStatus `json:"zones"`
	Entries []Entry      `json:"entries"`
}

// Report tells what the running server knows.
func (s *Service) Report() Report {
	var zones []Zone
	for _, z := range s.config.Policy.zones {
		zones = append(zones, z.Zone)
	}
	r := Report{Entries: entriesOf(s.registry.list())}
	r.Zones = statusOf(zones, r.Entries)
	for i := range r.Zones {
		if t, known := s.troubles.of(fqdn(r.Zones[i].Zone)); known {
			r.Zones[i].Trouble, r.Zones[i].Fix, r.Zones[i].Since = t.text, t.fix, t.since.UTC()
		}
	}
	return r
}

// ReadReport is Report where no server runs, from its file.
func ReadReport(path string, zones []Zone) (Report, error) {
	bindings, _, err := ReadFile(path)
	if err != nil {
		return Report{}, err
	}
	list := make([]Binding, 0, len(bindings))
	for _, addr := range sorted(bindings) {
		list = append(list, *bindings[addr])
	}
	r := Report{Entries: entriesOf(list)}
	r.Zones = statusOf(zones, r.Entries)
	return r, nil
}

// Finding is something about names in DNS that people have to look at.
type Finding struct {
	Object string // a zone, or a name in it
	Text   string
	Fix    string
}

// maxFindings is how many names are told one by one.
const maxFindings = 100

// Findings are what is wrong now, zones first.
func (s *Service) Findings() (list []Finding) {
	r := s.Report()
	for _, z := range r.Zones {
		switch left := z.Registered + z.Removing; {
		case z.Trouble != "":
			list = append(list, Finding{"zone " + z.Zone, fmt.Sprintf("cannot be updated since %s: %s", z.Since.Format(time.RFC3339), z.Trouble), z.Fix})
		case z.Server == "" && left > 0:
			list = append(list, Finding{"zone " + z.Zone, fmt.Sprintf("is not in netbox.ddns.zones any more, and %d records of this server are left in it", left),
				"put the zone back, stop the server, run coredhcp-netbox ddns clean --zone " + z.Zone})
		}
	}
	if full, failed := s.registry.trouble(); failed != nil || full > 0 {
		if failed != nil {
			list = append(list, Finding{s.config.Path, "cannot be written, and nothing is sent: " + failed.Error(), "make room, or correct its rights"})
		}
		if full > 0 {
			list = append(list, Finding{"names in DNS", fmt.Sprintf("%d leases found no room beside %d others", full, maxBindings), "register fewer prefixes"})
		}
	}
	names := slices.DeleteFunc(r.Entries, func(e Entry) bool { return e.State != string(Conflict) && e.State != string(Refused) })
	slices.SortStableFunc(names, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	for _, e := range names[:min(len(names), maxFindings)] {
		f := Finding{e.Name, fmt.Sprintf("the server of %s refuses it for %s", e.Zone, e.Address), "allow the key of the zone to write the name"}
		if e.State == string(Conflict) {
			f.Text, f.Fix = fmt.Sprintf("is another's in DNS, and left alone: %s of %s is not registered", e.Kind, e.Address),
				"remove it from DNS, or give the machine another name"
		}
		list = append(list, f)
	}
	return list
}

// Counts are how many records are in DNS, wait for it, and are another's, for metrics.
func (s *Service) Counts() (registered, waiting, conflicts int) {
	r := s.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.bindings {
		b.each(func(record *Record, old bool) {
			switch b.shows(record, old) {
			case string(Registered):
				registered++
			case pending, removing:
				waiting++
			case string(Conflict):
				conflicts++
			}
		})
	}
	return registered, waiting, conflicts
}

// trouble is what keeps the registry from its work.
func (r *registry) trouble() (full int, failed error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.full, r.failed
}

package mirror

import (
	"fmt"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// Maintenance says that a server or a relationship is left alone for a while. It is
// kept in the state folder, so that it holds for runs of other processes too; what
// the settings say stands beside it (rule 9 row 55).
type Maintenance struct {
	Note  string    `json:"note,omitempty"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until,omitzero"` // zero: until it is lifted
}

// Maintenances are those in force, by host of a server and by name of a
// relationship.
type Maintenances struct {
	Servers   map[string]Maintenance `json:"servers,omitempty"`
	Failovers map[string]Maintenance `json:"failovers,omitempty"`
}

// Maintenances returns what was set with SetMaintenance and is not over.
func (m *Mirror) Maintenances() (Maintenances, error) {
	var all Maintenances
	err := m.state.read("maintenance.json", &all)
	for _, list := range []map[string]Maintenance{all.Servers, all.Failovers} {
		for name, x := range list {
			if !x.Until.IsZero() && !m.now().Before(x.Until) {
				delete(list, name)
			}
		}
	}
	return all, err
}

// SetMaintenance begins or changes the maintenance of a server, or of a
// relationship; nil ends it. A run under way goes on as it began.
func (m *Mirror) SetMaintenance(of plan.Source, x *Maintenance) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	all, err := m.Maintenances()
	if err != nil {
		return err
	}
	list, name := &all.Servers, of.Server
	if of.Failover != "" {
		list, name = &all.Failovers, of.Failover
	} else if _, ok := m.File.Sync.FindServer(name); !ok {
		return fmt.Errorf("no such server: %s", name)
	}
	if *list == nil {
		*list = make(map[string]Maintenance)
	}
	if x == nil {
		delete(*list, name)
	} else {
		(*list)[name] = *x
	}
	return m.state.write("maintenance.json", all)
}

// maintain adds to a policy what is in maintenance by SetMaintenance.
func (m *Mirror) maintain(p *plan.Policy) error {
	all, err := m.Maintenances()
	if err != nil {
		return err
	}
	for i := range p.Servers {
		if _, ok := all.Servers[p.Servers[i].Host]; ok {
			p.Servers[i].Maintenance = true
		}
	}
	for name := range all.Failovers {
		found := false
		for set, f := range p.Failovers {
			if strings.EqualFold(set, name) {
				f.Maintenance, found = true, true
				p.Failovers[set] = f
			}
		}
		if !found {
			p.Failovers[name] = plan.Failover{Maintenance: true}
		}
	}
	return nil
}

package instance

import (
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/circuit"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// Circuits is what option 82 of the relays in network.circuits.relays did not tell
// within the last day, and the cables that are wrong by it.
type Circuits struct {
	Relays      []SilentRelay `json:"relays"`
	Circuits    []LostCircuit `json:"circuits"`
	WrongCables []WrongCable  `json:"wrong_cables"`
}

// SilentRelay is a relay of the list that passed messages on without a circuit-id
// (CL-17).
type SilentRelay struct {
	Relay   netip.Addr `json:"relay"`
	Without int        `json:"without"` // messages
	With    int        `json:"with"`    // messages that had one
	Last    time.Time  `json:"last"`    // without one
}

// LostCircuit is a circuit that led nowhere (CL-17).
type LostCircuit struct {
	Relay    netip.Addr          `json:"relay"`
	Circuit  string              `json:"circuit"` // as circuit.Text has it; untrusted
	Remote   string              `json:"remote,omitempty"`
	Result   lease.CircuitResult `json:"result"`
	Switch   string              `json:"switch,omitempty"`
	Port     string              `json:"port,omitempty"`
	Messages int                 `json:"messages"`
	Last     time.Time           `json:"last"`
}

// WrongCable is a known device that came by another one's cable (CL-18).
type WrongCable struct {
	Machine  string         `json:"machine"`
	Client   lease.ClientID `json:"client"`
	Port     string         `json:"port"`     // of the switch
	LeadsTo  string         `json:"leads_to"` // in NetBox
	Messages int            `json:"messages"`
	Last     time.Time      `json:"last"`
}

// circuitsFor is for how long something counts after its last message.
const circuitsFor = 24 * time.Hour

// circuits remembers what circuits told.
type circuits struct {
	relays recent[netip.Addr, SilentRelay]
	lost   recent[lostCircuit, LostCircuit]
	wrong  recent[wrongCable, WrongCable]
}

type lostCircuit struct {
	relay           netip.Addr
	circuit, remote string
}

type wrongCable struct {
	client lease.ClientID
	port   ipam.InterfaceID
}

// CircuitSeen notes what the circuit of a message told, if it counts.
func (i *Instance) CircuitSeen(m *lease.ClientMessage, d *lease.Decision, now time.Time) {
	c := d.Circuit
	if c == nil {
		return
	}
	i.Metrics.circuits.Of(c.Result).Inc()
	i.circuits.relays.note(m.Relay, func(r *SilentRelay) {
		r.Relay = m.Relay
		if c.Result != lease.CircuitAbsent {
			r.With++
			return
		}
		r.Without, r.Last = r.Without+1, now.UTC()
	})
	switch {
	case c.Result == lease.CircuitAbsent:
	case c.Result != lease.CircuitLeads:
		i.lostCircuit(m, c, now)
	case d.WrongCable():
		i.circuits.wrong.note(wrongCable{m.Client, c.Port.ID}, func(w *WrongCable) {
			s := i.Snapshot()
			*w = WrongCable{Machine: d.Machine.Name, Client: m.Client, Port: s.PortName(c.Port.ID), LeadsTo: s.PortName(c.FarEnd.ID), Messages: w.Messages + 1, Last: now.UTC()}
		})
	}
}

// lostCircuit notes a circuit that led nowhere.
func (i *Instance) lostCircuit(m *lease.ClientMessage, c *lease.Circuit, now time.Time) {
	l := LostCircuit{Relay: m.Relay, Circuit: circuit.Text(m.Circuit), Result: c.Result, Last: now.UTC()}
	if len(m.Remote) > 0 {
		l.Remote = circuit.Text(m.Remote)
	}
	if c.Switch != nil {
		l.Switch = c.Switch.Name
	}
	if c.Port != nil {
		l.Port = c.Port.Name
	}
	i.circuits.lost.note(lostCircuit{m.Relay, l.Circuit, l.Remote}, func(before *LostCircuit) {
		l.Messages = before.Messages + 1
		*before = l
	})
}

// Circuits returns what circuits did not tell within the last day, the last first
// (CL-17, CL-18).
func (i *Instance) Circuits(now time.Time) Circuits {
	since := now.Add(-circuitsFor)
	return Circuits{
		Relays:      i.circuits.relays.those(func(r *SilentRelay) bool { return r.Last.After(since) }),
		Circuits:    i.circuits.lost.those(func(l *LostCircuit) bool { return l.Last.After(since) }),
		WrongCables: i.circuits.wrong.those(func(w *WrongCable) bool { return w.Last.After(since) }),
	}
}

// wrongCableMetric counts the cables that are wrong now.
func (i *Instance) wrongCableMetric() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "coredhcp_netbox_wrong_cables",
		Help: "Known devices that came by a cable which leads to another one in NetBox, within the last day; at most 1024.",
	}, func() float64 { return float64(len(i.Circuits(time.Now()).WrongCables)) })
}

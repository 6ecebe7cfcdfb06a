package launch

import (
	"fmt"
	"io"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/circuit"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
)

// explainedCircuit says how option 82 was read (CL-13 to CL-15).
type explainedCircuit struct {
	Circuit string              `json:"circuit"` // as circuit.Text has it
	Remote  string              `json:"remote,omitempty"`
	Counts  bool                `json:"counts"`             // why not is a reason of its own
	Means   []string            `json:"means"`              // ports, with the switch that the circuit names
	Result  lease.CircuitResult `json:"result,omitempty"`   // of a circuit that counts
	Switch  string              `json:"switch,omitempty"`   // device
	Port    string              `json:"port,omitempty"`     // interface of it
	LeadsTo string              `json:"leads_to,omitempty"` // device and interface at the far end of the cable
	Wrong   bool                `json:"wrong_cable,omitempty"`
}

// explainCircuit is nil for a message without a circuit-id.
func explainCircuit(x *dhcp4.Exchange, i *instance.Instance) *explainedCircuit {
	m, c := &x.Message, x.Decision.Circuit
	if len(m.Circuit) == 0 {
		return nil
	}
	e := &explainedCircuit{Circuit: circuit.Text(m.Circuit), Counts: c != nil, Means: []string{}}
	if len(m.Remote) > 0 {
		e.Remote = circuit.Text(m.Remote)
	}
	for _, r := range i.Settings.Network.Circuits.ParseFormats().Read(m.Circuit) {
		text := r.String()
		if r.Host != "" {
			text += " of " + r.Host
		}
		e.Means = append(e.Means, text)
	}
	if c == nil {
		return e
	}
	e.Result, e.Wrong = c.Result, x.Decision.WrongCable()
	if c.Switch != nil {
		e.Switch = c.Switch.Name
	}
	if c.Port != nil {
		e.Port = c.Port.Name
	}
	if c.FarEnd != nil {
		e.LeadsTo = i.Snapshot().PortName(c.FarEnd.ID)
	}
	return e
}

func (e *explainedCircuit) print(t io.Writer) {
	if e == nil {
		return
	}
	fmt.Fprintf(t, "\ncircuit\t%s\n", e.Circuit)
	means := strings.Join(e.Means, ", or ")
	if means == "" {
		means = "nothing: " + lease.CircuitUnread.Words()
	}
	for _, line := range [][2]string{{"remote", e.Remote}, {"means", means}, {"switch", e.Switch}, {"port", e.Port}, {"leads to", e.LeadsTo}} {
		if line[1] != "" {
			fmt.Fprintf(t, "  %s\t%s\n", line[0], printable.Text(line[1]))
		}
	}
	switch {
	case !e.Counts:
		fmt.Fprintln(t, "  counts\tno (rule CL-13)")
	case e.Wrong:
		fmt.Fprintln(t, "  wrong cable\tthe client is a device that NetBox has elsewhere (rule CL-18)")
	case e.Result != lease.CircuitLeads:
		fmt.Fprintf(t, "  leads nowhere\t%s (rule CL-14)\n", e.Result.Words())
	}
}

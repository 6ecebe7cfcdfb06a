package instance

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/follow"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// redeployWait bounds the one call to NetBox a packet may wait for.
const redeployWait = 2 * time.Second

// Redeploy reports whether boot data may be sent to m. Where a gate
// applies the switch is read from NetBox now, and no answer means no: an
// installer that has just cleared it must not be started again. The error says
// why there was no answer; with lease.ErrCrowded, where too many wait for NetBox,
// nothing is to be sent, so that the client asks again (B-9).
func (i *Instance) Redeploy(ctx context.Context, m *ipam.Machine) (bool, error) {
	s := i.Settings.PXE
	if s.Gate == "off" {
		return true, nil
	}
	fields := m.Gate
	if i.gated(m) && i.switches != nil {
		ctx, cancel := context.WithTimeout(ctx, redeployWait)
		defer cancel()
		var err error
		fields, err = i.switches.fields(ctx, m.ID)
		if err != nil {
			return false, err
		}
	}
	return i.opens(m, fields), nil
}

// KnownRedeploy is Redeploy by the copy of NetBox in memory, for answers that are never
// sent (WEB-7).
func (i *Instance) KnownRedeploy(m *ipam.Machine) bool {
	return i.Settings.PXE.Gate == "off" || i.opens(m, m.Gate)
}

// gated reports whether a switch counts for m.
func (i *Instance) gated(m *ipam.Machine) bool {
	s := i.Settings.PXE
	_, redeploys := m.Gate[s.RedeployField]
	_, confirms := m.Gate[s.ConfirmField]
	return s.Gate == "on" || redeploys || confirms
}

// opens reports whether the switches of m in fields let boot data through.
func (i *Instance) opens(m *ipam.Machine, fields map[string]json.RawMessage) bool {
	s := i.Settings.PXE
	redeploy, redeploys := fields[s.RedeployField]
	confirm, confirms := fields[s.ConfirmField]
	switch {
	case !i.gated(m):
		return true
	case s.Gate == "on" && (!redeploys || !confirms):
		return false
	}
	return (!redeploys || switchedOn(redeploy)) && (!confirms || choiceText(confirm) == m.Name)
}

// readSwitches makes the switches come from NetBox.
func (i *Instance) readSwitches() {
	names := []string{i.Settings.PXE.RedeployField, i.Settings.PXE.ConfirmField}
	i.switches = newSwitches(func(ctx context.Context, id ipam.MachineID) (map[string]json.RawMessage, error) {
		return follow.MachineFields(ctx, i.client, id, names)
	})
}

// switchedOn reads a boolean field, or a selection of true, yes or 1.
func switchedOn(raw json.RawMessage) bool {
	var on bool
	if json.Unmarshal(raw, &on) == nil {
		return on
	}
	switch strings.ToLower(choiceText(raw)) {
	case "true", "yes", "1":
		return true
	}
	return false
}

// choiceText reads a text field or a selection, which NetBox 4.7 shows as an
// object with value and label and earlier versions as plain text.
func choiceText(raw json.RawMessage) string {
	var choice struct{ Value string }
	if json.Unmarshal(raw, &choice) == nil && choice.Value != "" {
		return choice.Value
	}
	var text string
	_ = json.Unmarshal(raw, &text) // anything else is no text: ""
	return text
}

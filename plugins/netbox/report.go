package netbox

import (
	"net/netip"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// report writes the one line of a message that is worth one: a binding made or
// ended, a refusal, a message that got nothing, trouble. All that packets can
// cause is bounded (B-2); a debug log has a line for each message.
func (h *handler) report(x *dhcp4.Exchange, now time.Time, err error) {
	m, d := &x.Message, &x.Decision
	if !h.passedOn(m, d) {
		h.Answered(m, d, now)
	}
	if x.Trace != nil {
		h.Log.WithFields(fields(m, d)).WithField("why", oneLine(x.Trace)).Debug("message decided")
	}
	h.passedOver(x)
	h.claimed(x)
	h.circuit(x, now)
	if d.Relayed.Ignored {
		h.unproved(x)
	}
	if err != nil {
		h.Quiet.Error(string(d.Reason), "no answer: trouble on our side", withError(fields(m, d), err))
		return
	}
	switch {
	case d.Reason == lease.ReasonForeign:
		h.explained(logrus.ErrorLevel, "foreign "+m.Asked().String(), "a lease is not extended: another DHCP server gave its address away, too", x)
	case d.Reason == lease.ReasonClaimOver:
		h.explained(logrus.WarnLevel, "not_extended "+m.Asked().String(), "a lease by a claim is not extended", x)
	case d.Reason == lease.ReasonTakenAway:
		h.explained(logrus.WarnLevel, "not_extended "+m.Asked().String(), "a lease is not extended: NetBox took its address away", x)
	case d.Verdict == lease.Ack && d.Reason == lease.ReasonNew:
		h.Quiet.Event("lease", "lease made", func() logrus.Fields { return fields(m, d) })
	case d.Reason == lease.ReasonReleased:
		h.Quiet.Event("release", "lease released", func() logrus.Fields { return fields(m, d) })
	case d.Reason == lease.ReasonDeclined && d.Static:
		h.Quiet.Error("declined_static "+d.Addr.Addr().String(), "static address declined: another host uses it", h.sender(x))
	case d.Reason == lease.ReasonDeclined:
		h.Quiet.Warn("declined "+d.Addr.Addr().String(), "address declined: quarantined", h.sender(x))
	case m.Type == lease.Release && d.Reason == lease.ReasonUnproved:
		h.explained(logrus.WarnLevel, "release_ignored "+m.ClientAddr.String(), "RELEASE ignored", x)
	case m.Type == lease.Decline:
		h.explained(logrus.WarnLevel, "decline_ignored "+string(m.Client), "DECLINE ignored", x)
	case d.Reason == lease.ReasonConflict:
		h.explained(logrus.ErrorLevel, "conflict "+string(m.Client), "one MAC on several interfaces with addresses here", x)
	case d.Verdict == lease.Nak:
		h.explained(logrus.InfoLevel, "nak "+string(m.Client), "request refused", x)
	case d.Verdict == lease.Silent && !h.passedOn(m, d):
		h.unanswered(x)
	}
}

// passedOn says that the next lease plugin is asked.
func (h *handler) passedOn(m *lease.ClientMessage, d *lease.Decision) bool {
	return h.Settings.Lease.Fallthrough && fallsThrough(m.Type, d.Reason)
}

// unanswered tells of a message that got nothing, as loud as its reason
// concerns the operator, once for each place or client that it is about.
func (h *handler) unanswered(x *dhcp4.Exchange) {
	const msg = "no answer"
	switch r := x.Decision.Reason; r {
	case lease.ReasonOtherServer, lease.ReasonStandby, lease.ReasonBusy, lease.ReasonNothingToDo, lease.ReasonUnhandled:
		// everyday: another server's client, or this one's turn comes later
	case lease.ReasonHearsay: // has its own line
	case lease.ReasonUnserved: // everyday while one VLAN is tried: counted, and listed (N-21)
	case lease.ReasonSenderUnlisted:
		h.explained(logrus.WarnLevel, string(r)+" "+x.Message.Source.String(), msg, x)
	case lease.ReasonAmbiguousVRF:
		h.explained(logrus.ErrorLevel, string(r)+" "+h.evidence(&x.Message, &x.Decision), msg, x)
	case lease.ReasonNoEvidence, lease.ReasonNoSubnet, lease.ReasonRelayUnknown, lease.ReasonRelayUnlisted, lease.ReasonNoSnapshot, lease.ReasonStale, lease.ReasonClockSkew,
		lease.ReasonNoServerID, lease.ReasonStoreFailed:
		h.explained(logrus.WarnLevel, string(r)+" "+h.evidence(&x.Message, &x.Decision), msg, x)
	case lease.ReasonPoolEmpty:
		h.explained(logrus.WarnLevel, string(r)+" "+network(&x.Decision), msg, x)
	case lease.ReasonMalformed, lease.ReasonLAGMember:
		h.explained(logrus.WarnLevel, string(r)+" "+string(x.Message.Client), msg, x)
	default: // a refusal that is not spoken, or a stranger
		h.explained(logrus.InfoLevel, string(r)+" "+string(x.Message.Client), msg, x)
	}
}

// unproved says once a day that something of a relay, or option 118, did not
// count, since it is part of each message on that way (N-11, N-12).
func (h *handler) unproved(x *dhcp4.Exchange) {
	m := x.Message
	h.daily.Func(logrus.WarnLevel, "relay_unproved "+m.Relay.String()+" "+m.Source.String(), "what a relay says is not proved", func() logrus.Fields {
		f := h.sender(x)
		delete(f, "reason")
		f["fix"] = "if the sender is one of your relays, list its address and the one in giaddr in netbox.network.relays, or give both to one device in NetBox"
		if m.LinkSelection.IsValid() {
			f["link_selection"] = m.LinkSelection
		}
		if m.Override.IsValid() {
			f["server_override"] = m.Override
		}
		if m.SubnetSelection.IsValid() {
			f["subnet_selection"] = m.SubnetSelection
		}
		return f
	})
}

// explained logs what the client asked for, where it is, and the reasons. A
// trace that was not kept is made now, for the few lines that are written.
func (h *handler) explained(level logrus.Level, key, msg string, x *dhcp4.Exchange) {
	h.Quiet.Func(level, key, msg, func() logrus.Fields {
		f := h.sender(x)
		m, trace := x.Message, x.Trace
		if trace == nil {
			trace = h.Engine.Why(m)
		}
		f["why"] = oneLine(trace)
		if where := h.evidence(&x.Message, &x.Decision); where != "" {
			f["evidence"] = where
		}
		if m.RequestedAddr.IsValid() {
			f["requested"] = m.RequestedAddr
		}
		if m.ClientAddr.IsValid() {
			f["ciaddr"] = m.ClientAddr
		}
		return f
	})
}

// sender adds where the packet came from, as far as the server tells.
func (h *handler) sender(x *dhcp4.Exchange) logrus.Fields {
	f := fields(&x.Message, &x.Decision)
	if x.Ingress.Source.IsValid() {
		f["source"] = x.Ingress.Source
	}
	if x.Ingress.Interface != "" {
		f["interface"] = x.Ingress.Interface
	}
	return f
}

// evidence says in words what tells where the client is (N-1).
func (h *handler) evidence(m *lease.ClientMessage, d *lease.Decision) string {
	var own netip.Addr
	if m.SaysWhere(d.State) {
		own = m.ClientAddr
	}
	for _, e := range []struct {
		source string
		addr   netip.Addr
	}{
		{"link selection", m.LinkSelection},
		{"subnet selection", d.Relayed.Subnet},
		{"relay", m.Relay},
		{"ciaddr", own},
		{"network.subnet", h.Settings.Network.Subnet.Addr()},
	} {
		if e.addr.IsValid() {
			return e.source + " " + e.addr.String()
		}
	}
	switch {
	case len(m.InterfaceAddrs) > 0:
		var interfaces []string
		for _, addr := range m.InterfaceAddrs {
			interfaces = append(interfaces, addr.String())
		}
		return "interface " + m.Interface + " " + strings.Join(interfaces, " ")
	case m.Interface == "" && m.Identifier.IsValid():
		return "server identifier " + m.Identifier.String()
	}
	return ""
}

func network(d *lease.Decision) string {
	if d.Subnet == nil {
		return ""
	}
	return d.Subnet.Prefix.Prefix.String()
}

func fields(m *lease.ClientMessage, d *lease.Decision) logrus.Fields {
	f := logrus.Fields{"message": m.Type.String(), "client_id": string(m.Client), "rule": d.Rule, "reason": string(d.Reason)}
	if d.Addr.IsValid() {
		f["addr"] = d.Addr.Addr()
	}
	if m.Relay.IsValid() {
		f["giaddr"] = m.Relay
	}
	if d.Subnet != nil {
		f["subnet"] = d.Subnet.Prefix.Prefix
	}
	if d.Machine != nil {
		f["machine"] = d.Machine.Name
	}
	return f
}

// oneLine is a trace as the value of a field (B-7).
func oneLine(trace *lease.Trace) string {
	return strings.ReplaceAll(strings.TrimSpace(trace.String()), "\n", "; ")
}

func withError(f logrus.Fields, err error) logrus.Fields {
	f[logrus.ErrorKey] = err
	return f
}

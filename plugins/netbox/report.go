package netbox

import (
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// report writes the one log line of a message: a binding made or ended at
// info, refusals and trouble rate-limited by reason (B-2), all else at debug.
func (h *handler) report(m lease.ClientMessage, d lease.Decision, err error, trace *lease.Trace) {
	if trace != nil {
		h.Log.WithFields(fields(m, d)).WithField("why", oneLine(trace)).Debug("message decided")
	}
	if err != nil {
		h.Quiet.Error(string(d.Reason), "no answer: trouble on our side", withError(fields(m, d), err))
		return
	}
	switch {
	case d.Verdict == lease.Ack && d.Reason == lease.ReasonNew:
		h.Log.WithFields(fields(m, d)).Info("lease made")
	case d.Reason == lease.ReasonReleased:
		h.Log.WithFields(fields(m, d)).Info("lease released")
	case d.Reason == lease.ReasonDeclined && d.Static:
		h.Log.WithFields(fields(m, d)).Error("static address declined: another host uses it")
	case d.Reason == lease.ReasonDeclined:
		h.Log.WithFields(fields(m, d)).Warn("address declined: quarantined")
	case d.Reason == lease.ReasonConflict:
		h.Quiet.Error("conflict "+string(m.Client), "one MAC on several interfaces with addresses here", fields(m, d))
	case d.Verdict == lease.Nak:
		h.Quiet.Info("nak "+string(m.Client), "request refused", fields(m, d))
	case d.Verdict == lease.Silent && worthWarning(d.Reason):
		h.Quiet.Warn(string(d.Reason)+m.Relay.String(), "no answer", fields(m, d))
	}
}

// worthWarning lists the reasons an operator can do something about.
func worthWarning(r lease.Reason) bool {
	switch r {
	case lease.ReasonNoEvidence, lease.ReasonNoSubnet, lease.ReasonAmbiguousVRF, lease.ReasonPoolEmpty,
		lease.ReasonNoSnapshot, lease.ReasonStale, lease.ReasonClockSkew, lease.ReasonNoServerID, lease.ReasonStoreFailed:
		return true
	}
	return false
}

func fields(m lease.ClientMessage, d lease.Decision) logrus.Fields {
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

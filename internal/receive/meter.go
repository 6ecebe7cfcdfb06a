package receive

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/counted"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
)

// Drop says in a word why a packet was not answered; empty: it was. Metrics and
// logs use it as a label.
type Drop string

// DropUnhandled is a message of a kind that no plugin sees (F-15).
const DropUnhandled Drop = "unhandled_type"

const (
	dropReceive        Drop = "receive_failed"
	dropKernel         Drop = "kernel_queue" // no room in the socket's buffer
	dropSurplus        Drop = "surplus"      // B-1
	dropSender         Drop = "sender_share" // N-13
	dropCopy           Drop = "copy"         // the interface's own listener has it
	dropBusy           Drop = "busy"         // an earlier message of the client is in work (D-28)
	dropMalformed      Drop = "malformed"
	dropNotRequest     Drop = "not_request"     // op is not BOOTREQUEST
	dropHardwareLength Drop = "hardware_length" // raw hlen over 16
	dropAddress        Drop = "bad_address"     // giaddr or ciaddr names no host
	dropNoReply        Drop = "no_reply"        // the chain's own decision
	dropNeverAnswered  Drop = "never_answered"  // RELEASE, DECLINE
	dropNoAddress      Drop = "no_address"      // no handler set yiaddr
	dropNoServerID     Drop = "no_server_id"
	dropPanic          Drop = "panic"
	dropSend           Drop = "send_failed"
)

// drops are all reasons.
func drops() []Drop {
	return []Drop{
		DropUnhandled, dropReceive, dropKernel, dropSurplus, dropSender, dropCopy, dropBusy, dropMalformed, dropNotRequest, dropHardwareLength,
		dropAddress, dropNoReply, dropNeverAnswered, dropNoAddress, dropNoServerID, dropPanic, dropSend,
	}
}

// level is how much a reason concerns the operator. What clients and other
// servers do every day is for debugging only.
func (r Drop) level() logrus.Level {
	switch r {
	case dropCopy, dropBusy, dropNotRequest, DropUnhandled, dropNoReply, dropNeverAnswered:
		return logrus.DebugLevel
	case dropReceive, dropNoServerID, dropPanic, dropSend:
		return logrus.ErrorLevel
	}
	return logrus.WarnLevel
}

// logInterval is how long one line about a reason stands for all others (B-2).
const logInterval = time.Minute

// meter counts what the loop does, and logs it sparingly.
type meter struct {
	log        logrus.FieldLogger
	quiet      *quiet.Logger
	registerer prometheus.Registerer
	received   *counted.Vec[kind]
	replies    *counted.Vec[sentTo]
	dropped    *counted.Vec[Drop]
	inWork     prometheus.Gauge
	seconds    prometheus.Histogram
}

// sentTo is what a reply is counted by.
type sentTo struct {
	message     kind
	destination string
}

// kind is a message type as metrics and logs tell them apart: strangers must not be
// able to make up values.
type kind uint8

// Kinds besides the types of DHCP messages, of which none is 0.
const (
	kindBOOTP kind = 0
	kindOther kind = 255
)

func kindOf(p *dhcp4.Packet) kind {
	value, sent := p.Options.Sent(dhcpv4.OptionDHCPMessageType)
	switch {
	case !sent:
		return kindBOOTP
	case len(value) == 1 && value[0] >= byte(dhcpv4.MessageTypeDiscover) && value[0] <= byte(dhcpv4.MessageTypeInform):
		return kind(value[0])
	}
	return kindOther
}

// String is the label.
func (k kind) String() string {
	switch k {
	case kindBOOTP:
		return "BOOTP"
	case kindOther:
		return "other"
	}
	return dhcpv4.MessageType(k).String()
}

func newMeter(reg prometheus.Registerer, log logrus.FieldLogger) (*meter, error) {
	m := &meter{
		log:        log,
		quiet:      quiet.New(log, logInterval, time.Now),
		registerer: reg,
		received: counted.New(prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "coredhcp_netbox_dhcp4_received_total",
			Help: "Well-formed DHCPv4 messages received, by message type.",
		}, []string{"message"}), func(message kind) []string { return []string{message.String()} }),
		replies: counted.New(prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "coredhcp_netbox_dhcp4_replies_total",
			Help: "DHCPv4 replies sent, by message type and by what decided their destination.",
		}, []string{"message", "destination"}), func(s sentTo) []string { return []string{s.message.String(), s.destination} }),
		dropped: counted.New(prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "coredhcp_netbox_dhcp4_dropped_total",
			Help: "DHCPv4 packets that got no reply, by reason.",
		}, []string{"reason"}), func(r Drop) []string { return []string{string(r)} }),
		inWork: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "coredhcp_netbox_dhcp4_in_work",
			Help: "DHCPv4 packets in the handler chain now.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "coredhcp_netbox_dhcp4_reply_seconds",
			Help:    "Time from reading a DHCPv4 packet to having sent the reply.",
			Buckets: prometheus.ExponentialBuckets(25e-6, 2.5, 12), // 25 us to 0.6 s
		}),
	}
	for _, r := range drops() {
		m.dropped.Of(r) // shown before the first one, so that an increase is seen
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range m.collectors() {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics of the receive loop: %w", err)
		}
	}
	return m, nil
}

func (m *meter) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.received, m.replies, m.dropped, m.inWork, m.seconds}
}

// close lets another server use the same registry.
func (m *meter) close() {
	if m.registerer == nil {
		return
	}
	for _, c := range m.collectors() {
		m.registerer.Unregister(c)
	}
}

func (m *meter) receive(req *dhcp4.Packet) {
	m.received.Of(kindOf(req)).Inc()
}

// drop counts a packet that never became a message.
func (m *meter) drop(r Drop, source netip.AddrPort) {
	m.dropped.Of(r).Inc()
	if m.tells(r) {
		m.line(r, logrus.Fields{"source": source})
	}
}

// dropMessage counts a message that gets no reply.
func (m *meter) dropMessage(r Drop, req *dhcp4.Packet) {
	m.dropped.Of(r).Inc()
	if m.tells(r) {
		m.line(r, messageFields(req))
	}
}

// tells reports whether a line about r may be written.
func (m *meter) tells(r Drop) bool { return r.level() != logrus.DebugLevel || quiet.Debugging(m.log) }

func (m *meter) receiveFailed(err error) {
	m.dropped.Of(dropReceive).Inc()
	m.line(dropReceive, logrus.Fields{logrus.ErrorKey: err})
}

// lostInKernel counts packets that found the socket's buffer full.
func (m *meter) lostInKernel(n uint32) {
	m.dropped.Of(dropKernel).Add(float64(n))
	m.line(dropKernel, logrus.Fields{"packets": n})
}

// panicked counts a panic of the handler with that index in the chain
// (noHandler: of the loop itself). It must be called while the panic is being
// recovered. The packet is only shown at debug level.
func (m *meter) panicked(cause any, handler int, packet []byte) {
	m.dropped.Of(dropPanic).Inc()
	m.line(dropPanic, logrus.Fields{"handler": handler, "panic": fmt.Sprint(cause), "stack": string(debug.Stack())})
	m.log.WithField("packet", hex.EncodeToString(packet)).Debug("the packet whose handler panicked")
}

// frameFailed notes a frame that could not be sent; the reply is broadcast.
func (m *meter) frameFailed(err error) {
	m.quiet.Warn("frame", "reply broadcast because its frame was refused", logrus.Fields{logrus.ErrorKey: err})
}

// trimmed notes a reply that was too big for its client.
func (m *meter) trimmed(req *dhcp4.Packet, left []dhcpv4.OptionCode, fits bool) {
	fields := messageFields(req)
	fields["left_out"], fields["fits"] = fmt.Sprint(left), fits
	m.quiet.Warn("trimmed", "reply too big for the client", fields)
}

// sent counts one reply, or the failure to send it.
func (m *meter) sent(resp *dhcp4.Packet, destination string, err error, took time.Duration) {
	if err != nil {
		m.dropped.Of(dropSend).Inc()
		fields := messageFields(resp)
		fields["destination"], fields[logrus.ErrorKey] = destination, err
		m.line(dropSend, fields)
		return
	}
	m.replies.Of(sentTo{kindOf(resp), destination}).Inc()
	m.seconds.Observe(took.Seconds())
	if quiet.Debugging(m.log) {
		fields := messageFields(resp)
		fields["addr"], fields["destination"] = resp.YourIPAddr.String(), destination
		m.log.WithFields(fields).Debug("packet answered")
	}
}

// line logs a dropped packet.
func (m *meter) line(r Drop, fields logrus.Fields) {
	const msg = "packet dropped"
	fields["reason"] = string(r)
	switch r.level() {
	case logrus.DebugLevel:
		m.log.WithFields(fields).Debug(msg)
	case logrus.ErrorLevel:
		m.quiet.Error(string(r), msg, fields)
	default:
		m.quiet.Warn(string(r), msg, fields)
	}
}

func messageFields(p *dhcp4.Packet) logrus.Fields {
	f := logrus.Fields{"message": kindOf(p).String(), "mac": p.ClientHWAddr.String(), "xid": p.TransactionID.String()}
	if giaddr := addr4(p.GatewayIPAddr); !giaddr.IsUnspecified() {
		f["giaddr"] = giaddr.String()
	}
	return f
}

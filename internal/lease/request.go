package lease

import (
	"net/netip"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/option"
)

// MessageType is the kind of a client's message (option 53), or BOOTP.
type MessageType uint8

// The messages the engine handles. Numbers follow RFC 2132 section 9.6; BOOTP
// has no option 53.
const (
	BOOTP    MessageType = 0
	Discover MessageType = 1
	Request  MessageType = 3
	Decline  MessageType = 4
	Release  MessageType = 7
	Inform   MessageType = 8
)

// String names the message as RFC 2131 does.
func (t MessageType) String() string {
	switch t {
	case BOOTP:
		return "BOOTP"
	case Discover:
		return "DHCPDISCOVER"
	case Request:
		return "DHCPREQUEST"
	case Decline:
		return "DHCPDECLINE"
	case Release:
		return "DHCPRELEASE"
	case Inform:
		return "DHCPINFORM"
	}
	return "unhandled message"
}

// Delivery is how a packet reached us; only our own receive loop knows it
// (F-22).
type Delivery uint8

// Unicast tells RENEWING from REBINDING (D-12, D-14).
const (
	DeliveryUnknown Delivery = iota
	DeliveryUnicast
	DeliveryBroadcast
)

// ClientMessage is one message of a client with all that a decision needs.
// Addresses that are absent or 0.0.0.0 are the zero netip.Addr.
type ClientMessage struct {
	Type   MessageType
	Client ClientID
	// Hardware is the hardware address, in the form of a key, of a client that is
	// told by its identifier; empty for others. Decide sets it (I-11).
	Hardware ClientID
	// ClientIdentifier is option 61 as sent, beside a hardware address. It counts
	// only with lease.identify: client_id.
	ClientIdentifier []byte
	// MAC is set where the client key is a 6-byte Ethernet address, the only
	// kind looked up in NetBox (I-4).
	MAC    ipam.MAC
	HasMAC bool

	RequestedAddr netip.Addr // option 50
	ClientAddr    netip.Addr // ciaddr
	ServerID      netip.Addr // option 54 as sent by the client
	// Identifier is our own option 54, as the reply will carry it.
	Identifier netip.Addr
	// Override is a valid RFC 5107 server identifier override; it replaces
	// Identifier in the reply and is accepted as ours.
	Override netip.Addr

	// Source is the sender of the packet: 0.0.0.0 for a client without an address,
	// the zero Addr where the server does not tell (F-22).
	Source          netip.Addr
	Relay           netip.Addr // giaddr
	LinkSelection   netip.Addr // option 82 sub-option 5, RFC 3527
	Circuit         []byte     // option 82 sub-option 1, RFC 3046; untrusted bytes
	Remote          []byte     // option 82 sub-option 2, RFC 3046; untrusted bytes
	SubnetSelection netip.Addr // option 118, RFC 3011
	// Interface and InterfaceAddrs are the receiving interface and its IPv4
	// addresses in kernel order; empty on the stock server (L-4).
	Interface      string
	InterfaceAddrs []netip.Addr
	// InterfaceBits are the masks of InterfaceAddrs, in the same order; it may be
	// shorter where they are unknown.
	InterfaceBits []int
	Delivery      Delivery

	// Sender is what the message says of its client, for conditions in contexts; empty
	// where no condition names a pool (OPT-14). It refers to the packet, and is untrusted.
	Sender option.Client

	LeaseTime time.Duration // option 51; 0: absent or zero
	Serial    string        // serial number that the client says it has (CL-11); untrusted text, set where claims by it count
	Hostname  string        // option 81, else 12, cleaned; untrusted text
	Naming    NameWish      // option 81
	Waited    time.Duration // header field secs
	// Malformed names what makes the message unusable: option 50, 54, 55 or 61
	// present with a wrong length. Such a message is never answered (D-0).
	Malformed string
}

// NameWish is what a client wants to become of its name in DNS (RFC 4702 section 3).
// No decision of this package rests on it.
type NameWish uint8

// The wishes. A client without option 81 has none, and leaves it to the server.
const (
	NameNoWish        NameWish = iota
	NameServerUpdates          // S: the server is to keep the address of the name
	NameClientUpdates          // neither S nor N: the client wants to keep it itself
	NameNoUpdate               // N: the server is to keep nothing
)

// Asked is the address that a REQUEST is about.
func (m *ClientMessage) Asked() netip.Addr {
	if m.RequestedAddr.IsValid() {
		return m.RequestedAddr
	}
	return m.ClientAddr
}

// Verdict is what the server does with a message.
type Verdict uint8

// Silent is the zero Verdict: what is not decided is not answered.
const (
	Silent    Verdict = iota
	Offer             // DHCPOFFER with an address
	Ack               // DHCPACK with an address
	Nak               // DHCPNAK
	Informed          // DHCPACK without address, for DHCPINFORM (D-21)
	BootReply         // BOOTREPLY (D-23)
	Taken             // RELEASE or DECLINE carried out; never answered
)

// String names the verdict as traces and tables show it.
func (v Verdict) String() string {
	switch v {
	case Offer:
		return "OFFER"
	case Ack:
		return "ACK"
	case Nak:
		return "NAK"
	case Informed:
		return "ACK (inform)"
	case BootReply:
		return "BOOTREPLY"
	case Taken:
		return "accepted, no reply"
	}
	return "silent"
}

// Reason says in one word why a message got its verdict; metrics and logs use
// it as a label.
type Reason string

// The closed list of reasons.
const (
	ReasonStatic        Reason = "static"         // address from NetBox assignment
	ReasonBound         Reason = "bound"          // the client's own binding
	ReasonNew           Reason = "new"            // a dynamic address chosen now
	ReasonClaimed       Reason = "claimed"        // a static address that the client claims (CL-6)
	ReasonReleased      Reason = "released"       // RELEASE carried out
	ReasonDeclined      Reason = "declined"       // DECLINE carried out
	ReasonInform        Reason = "inform"         // parameters only
	ReasonMalformed     Reason = "malformed"      // D-6b, D-15b or a bad option
	ReasonOtherServer   Reason = "other_server"   // option 54 is not ours (D-3)
	ReasonNoEvidence    Reason = "no_evidence"    // nothing says where the client is (N-1)
	ReasonNoSubnet      Reason = "no_subnet"      // no prefix holds the evidence (N-4)
	ReasonAmbiguousVRF  Reason = "ambiguous_vrf"  // several VRFs match (N-3)
	ReasonConflict      Reason = "conflict"       // one MAC, several interfaces (I-4)
	ReasonPoolEmpty     Reason = "pool_empty"     // no dynamic address left
	ReasonUnknownClient Reason = "unknown_client" // dynamic.allow_unknown, or allow_unknown of a context, is false
	ReasonLAGMember     Reason = "lag_member"     // P-1
	ReasonWrongNetwork  Reason = "wrong_network"  // address outside N
	ReasonWrongAddress  Reason = "wrong_address"  // another address is the client's
	ReasonTaken         Reason = "taken"          // another client's address
	ReasonNoBinding     Reason = "no_binding"     // nothing known of this client
	ReasonNotDynamic    Reason = "not_dynamic"    // address is not ours to lease
	ReasonTakenAway     Reason = "taken_away"     // confirmed for its remaining time: NetBox took the address away (S-11)
	ReasonClaimOver     Reason = "claim_over"     // confirmed for its remaining time: the claim is not made, or does not count any more (CL-9)
	ReasonForeign       Reason = "foreign_record" // confirmed for its remaining time: another server gave the address away (S-12)
	ReasonTwoOwners     Reason = "two_owners"     // another owner of the address is served (I-9)
	ReasonStandby       Reason = "standby"        // secs below lease.standby_secs
	ReasonBusy          Reason = "busy"           // same client or address in work (D-28)
	ReasonCrowded       Reason = "crowded"        // too many wait for the same slow thing (B-9)
	ReasonNoSnapshot    Reason = "no_snapshot"    // nothing loaded yet (H-1)
	ReasonStale         Reason = "stale"          // snapshot older than poll.stale_after (H-4)
	ReasonClockSkew     Reason = "clock_skew"     // S-9
	ReasonStoreFailed   Reason = "store_failed"   // H-3
	ReasonNothingToDo   Reason = "nothing_to_do"  // RELEASE or DECLINE of what is not the client's
	ReasonNoServerID    Reason = "no_server_id"
	ReasonVanished      Reason = "vanished"       // NetBox does not show it any more (T-1, T-3)
	ReasonUnhandled     Reason = "unhandled"      // message type not served

	ReasonRelayUnknown    Reason = "relay_unknown"      // giaddr is in no prefix of NetBox (N-10)
	ReasonRelayUnlisted   Reason = "relay_unlisted"     // giaddr is not in network.relays (N-10)
	ReasonSenderUnlisted  Reason = "sender_unlisted"    // the sender of a relayed message is not (N-10)
	ReasonUnproved        Reason = "unproved"           // a RELEASE or DECLINE that anyone could have sent (D-31, D-32)
	ReasonTooMany         Reason = "too_many"           // more DECLINEs than count
	ReasonNotOffered      Reason = "not_offered"        // it accepts an offer that was not made (D-30)
	ReasonOffered         Reason = "offered"            // another client was offered the address and has not answered (D-34)
	ReasonUnserved        Reason = "not_served"         // the network has no tag of network.serve_tag (N-20)
	ReasonClientsUnserved Reason = "clients_not_served" // serve_clients of a context is false, and NetBox does not know the client (CTX-5)
	ReasonRandomMAC       Reason = "random_mac"         // random_macs of a context refuses it (CTX-6)
	ReasonHearsay         Reason = "relay_unproved"     // the network rests on a relay that nothing vouches for (N-11)
)

// ClientState is what the client of a DHCPREQUEST is doing (RFC 2131 section 4.3.2).
type ClientState uint8

// Renewing is REBINDING as well: both extend a lease the client says it has.
const (
	NoState    ClientState = iota // another message, or a REQUEST in no state of the RFC
	Selecting                     // it accepts an offer
	InitReboot                    // it remembers an address from before
	Renewing
)

// Relayed is what the way of a message proves (N-11, N-12).
type Relayed struct {
	// Vouched says that the relay in giaddr itself sent the message.
	Vouched bool
	// Ignored says that a sub-option of the relay, or option 118, did not count for
	// want of proof, or, for a link selection, counts for known machines and
	// running leases only.
	Ignored bool
	// Subnet is option 118 where it counts; it goes back to the client (N-2).
	Subnet netip.Addr
}

// Decision is the outcome for one message. Everything a reply needs is in it;
// nothing has to be looked up again.
type Decision struct {
	Verdict Verdict
	Reason  Reason
	Rule    string // id of the rule that decided, such as "D-4"; for people only
	State   ClientState

	Addr   netip.Prefix // yiaddr with the mask to send; invalid without address
	Static bool
	Time   time.Duration // option 51 in whole seconds

	Subnet *ipam.Subnet // N; nil where it is unknown
	// Interface and Machine are what the client was recognised as in NetBox;
	// nil for a client NetBox does not know.
	Interface *ipam.Interface
	Machine   *ipam.Machine

	// Passed is an address of the machine on this wire that it is not given.
	Passed PassedOver
	// Claim is what a client that NetBox does not know says of itself to get the
	// address of its place, whether it gets it or not (CL-6).
	Claim Claim
	// Circuit is how option 82 was read; nil: it does not count (CL-13).
	Circuit *Circuit
	// Override replaces Identifier in the reply: what a relay asked for, as far as
	// it counts (R-7, N-11). Invalid: none.
	Override netip.Addr
	Relayed  Relayed

	// What has to happen before or with the reply; see Engine.
	effect effect
}

package lease

import (
	"net/netip"
	"time"
)

// Authority is the word of the chain entry nak.
type Authority uint8

// How refusals are spoken (K-5): Off is silence for all; Own refuses only
// clients that chose this server (D-5); Authoritative follows column Auth of
// the decision table.
const (
	Off Authority = iota
	Own
	Authoritative
)

// Pick is the order in which never-used addresses are tried.
type Pick uint8

// Lowest first, or from a hash of the client key on, so that several servers
// rarely offer the same address to different clients.
const (
	Lowest Pick = iota
	Hash
)

// Policy is the part of the settings that decides about leases. Each field
// names its key below netbox:.
type Policy struct {
	LeaseTime, MinTime, MaxTime time.Duration // lease.time, .min, .max
	OfferHold                   time.Duration // lease.offer_hold
	DeclineTime                 time.Duration // lease.decline_time
	ReclaimGrace                time.Duration // lease.reclaim_grace
	Standby                     time.Duration // lease.standby_secs
	StaleAfter                  time.Duration // poll.stale_after
	// RefuseWithin is how recently NetBox must have confirmed the snapshot for a
	// refusal, three polls; 0: however long ago.
	RefuseWithin  time.Duration
	Pick          Pick       // lease.pick
	StaticAtOnce  bool       // lease.static_at_once
	AllowUnknown  bool       // dynamic.allow_unknown
	KeepForKnown  int        // dynamic.keep_for_known, in percent of each pool
	AnyLAGMember  bool       // clients.lag: any
	BindInterface bool       // clients.bind_interface
	ByIdentifier  bool       // lease.identify: client_id
	Subnet        netip.Addr // network.subnet, an address inside it
	Claims        ClaimPolicy
	Circuits      CircuitPolicy // network.circuits
}

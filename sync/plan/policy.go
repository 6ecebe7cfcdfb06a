package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// Mode is what a plan is for.
type Mode string

// The modes.
const (
	Sync    Mode = "sync"
	Migrate Mode = "migrate" // take over from the plugin (windows-dhcp.md 3.4)
	Import  Mode = "import"  // create what is missing, change nothing (windows-dhcp.md 4)
)

// Adopt says what happens to an address with a status that is not the
// mirror's own when the server has a record for it (windows-dhcp.md 3.5).
type Adopt string

// The ways.
const (
	Overwrite  Adopt = "overwrite"
	LeaveAlone Adopt = "skip"
	Report     Adopt = "report"
)

// Policy is what the operator decided. Names and defaults are those of the
// settings (windows-dhcp.md 11).
type Policy struct {
	Mode Mode

	SyncIPs          bool
	PushReservations bool
	PushScopeInfo    bool
	ReadOnly         bool // no step on any Windows server
	ActiveScopesOnly bool
	AutoImport       bool
	RefreshOptions   bool
	InheritTenant    bool
	SkipRAS          bool
	ExpiryInNetBox   bool
	Adopt            Adopt

	LeaseStatus         string
	ReservationStatus   string
	PreviousLease       []string
	PreviousReservation []string

	ProtectTag     string // slug; empty: off
	UpdateClientID bool
	ExemptTags     []string // slugs of addresses the status check passes over: another DHCP server's

	MaxDeletePercent int // 0 to 100
	MaxDeleteCount   int
	KeepAssigned     bool
	AllowDeletes     bool // guard c off for this run

	CreateMissingPrefixes bool
	ReplaceClientID       bool
	DeleteRemoved         bool
	PushToPartner         bool

	MaintenanceScopes []netip.Prefix
	OnlyScopes        []netip.Prefix // of this run; empty: all
	Servers           []Server       // in configured order
	Failovers         map[string]Failover
}

// Server is what is configured about one server.
type Server struct {
	windhcp.ServerName
	Selected    bool // takes part in this run (--server)
	Standalone  bool // sync_standalone_scopes
	Maintenance bool
	Disabled    bool // by an override
	VRF         string
	ScopeVRF    map[netip.Prefix]string
}

// Failover is what is configured about one relationship.
type Failover struct {
	Primary     string // empty: as recorded or reported
	Disabled    bool   // sync_enabled: false
	Maintenance bool
}

// Memory is what the mirror remembers on its own machine between runs. It may
// be lost: then less is reported and less is deleted, never more.
type Memory struct {
	// Leases holds what is known of the lease on an address, by Place.
	Leases map[Place]LeaseInfo `json:"leases,omitempty"`
	// Pushed holds the client id of reservations that were pushed to a server,
	// or seen on it while NetBox had them too, by server and address.
	Pushed map[PushedKey]windhcp.ClientID `json:"pushed,omitempty"`
	// Guarded are subnets, by VRF and network address, whose deletes guard c held
	// back. The addresses made meanwhile must not talk it out of that.
	Guarded map[Place]bool `json:"guarded,omitempty"`
	// Told are notes that were shown as warnings already.
	Told map[string]bool `json:"told,omitempty"`
	// Invalid are ids of addresses tagged for their status.
	Invalid map[int64]bool `json:"invalid,omitempty"`
}

// LeaseInfo is the lease of an address as last seen.
type LeaseInfo struct {
	Hostname string           `json:"hostname,omitempty"`
	ClientID windhcp.ClientID `json:"client_id,omitempty"`
	Active   bool             `json:"active"`
	Expires  time.Time        `json:"expires,omitzero"`
	Server   string           `json:"server"`
	Scope    netip.Prefix     `json:"scope"`
	Seen     time.Time        `json:"seen"`
}

// imports reports whether scopes and relationships that NetBox does not know
// yet are recorded (windows-dhcp.md 4).
func (p *Policy) imports() bool { return p.Mode == Import || p.AutoImport && !p.PushScopeInfo }

// ReadsLeases reports whether leases and reservations matter to a plan.
func (p *Policy) ReadsLeases() bool {
	return p.Mode == Migrate || p.Mode == Sync && (p.SyncIPs || p.PushReservations)
}

// ReadsOptions reports whether options of scopes matter to a plan.
func (p *Policy) ReadsOptions() bool {
	return p.Mode != Migrate && (p.imports() || p.RefreshOptions && !p.PushScopeInfo)
}

// ownStatus reports whether a status is one the mirror gives, or gave.
func (p *Policy) ownStatus(status string) bool {
	return status == p.LeaseStatus || status == p.ReservationStatus ||
		slices.Contains(p.PreviousLease, status) || slices.Contains(p.PreviousReservation, status)
}

// class is what a status means to the mirror.
type class int

const (
	foreignClass class = iota
	leaseClass
	reservationClass
)

// classOf tells the class of an address, and whether its status is one of
// former settings. A former lease status means nothing on an address the
// mirror did not make or adopt; a former reservation status protects as the
// present one does (windows-dhcp.md 3.7).
func (p *Policy) classOf(x *state.Address) (c class, former bool) {
	switch {
	case x.Status == p.LeaseStatus:
		return leaseClass, false
	case x.Status == p.ReservationStatus:
		return reservationClass, false
	case slices.Contains(p.PreviousReservation, x.Status):
		return reservationClass, true
	case slices.Contains(p.PreviousLease, x.Status) && managed(x):
		return leaseClass, true
	}
	return foreignClass, false
}

// managed reports whether the mirror may take an address away again
// (windows-dhcp.md 3.4).
func managed(x *state.Address) bool {
	return x.Managed == state.Created || x.Managed == state.Adopted
}

// statusProblem says why addresses cannot be synced with these statuses; empty
// if they can (windows-dhcp.md 3.6).
func (p *Policy) statusProblem(choices []string) string {
	if p.LeaseStatus == p.ReservationStatus {
		return fmt.Sprintf("lease and reservation status are both %q: they have to differ", p.LeaseStatus)
	}
	for _, s := range []string{p.LeaseStatus, p.ReservationStatus} {
		if choices != nil && !slices.Contains(choices, s) {
			return fmt.Sprintf("NetBox has no status %q for IP addresses: it has %s", s, strings.Join(choices, ", "))
		}
	}
	return ""
}

package plan

import (
	"net/netip"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// Mode is what a plan is for.
type Mode string

// The modes.
const (
	Sync    Mode = "sync"
	Migrate Mode = "migrate" // take over from the plugin (rule 3.4)
	Import  Mode = "import"  // create what is missing, change nothing (rule 4)
	Retire  Mode = "retire"  // hand the scopes of a replaced server over (rule 4 step 5)
)

// Adopt says what happens to an address with a status that is not the
// mirror's own when the server has a record for it (rule 3.5).
type Adopt string

// The ways.
const (
	Overwrite  Adopt = "overwrite"
	LeaveAlone Adopt = "skip"
	Report     Adopt = "report"
)

// Policy is what the operator decided. Names and defaults are those of the
// settings (rule 11).
type Policy struct {
	Mode    Mode
	Retired string // the server that Retire is about, as records name it

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
	// FormerLease and FormerReservation are statuses of former settings that the
	// memory knows and the operator did not name (see Recall).
	FormerLease       []string
	FormerReservation []string

	ProtectTag     string // slug; empty: off
	UpdateClientID bool
	// HidesLease leaves the fields of the lease on a protected address alone, too.
	HidesLease bool
	ExemptTags []string // slugs of addresses the status check passes over: another DHCP server's
	// ExemptRoles are slugs of roles whose ranges are another DHCP server's pools.
	ExemptRoles []string
	ExemptTag   string // slug of addresses that are never written; empty: none

	MaxDeletePercent int // 0 to 100
	MaxDeleteCount   int
	KeepAssigned     bool
	ConfirmAfter     time.Duration // between the two reads that a loss needs; 0: whenever
	AllowDeletes     bool          // losses need no proof in this run
	AllowOverwrites  bool          // any number of people's statuses is overwritten in this run

	AdoptRanges           bool // of an import: people's own ranges of a scope's span become its record
	CreateMissingPrefixes bool
	ReplaceClientID       bool
	DeleteRemoved         bool
	PushToPartner         bool
	ActivateScopes        bool          // inactive ones on servers, where NetBox says so
	DeleteScopes          bool          // that were deleted in NetBox, on servers
	ScopeGrace            time.Duration // before a scope is deactivated, and before it is deleted

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
	Disabled    bool   // by an override
	ReadOnly    bool   // a brake: no step on it
	NoPush      bool   // the server wins, as with both push modes off
	Computer    string // name of the Windows computer; empty: as remembered
	VRF         string
	ScopeVRF    map[netip.Prefix]string
	ScopePrefix map[netip.Prefix]int64 // ids of prefixes, where NetBox has several of one network
}

// Failover is what is configured about one relationship.
type Failover struct {
	Servers     []string // the pair that is meant; empty: the only one of this name
	Primary     string   // empty: as recorded or reported
	Disabled    bool     // sync_enabled: false
	Maintenance bool
	AskPartner  bool // for its leases, although nothing else needs it
}

// Imports reports whether scopes and relationships that NetBox does not know
// yet are recorded (rule 4).
func (p *Policy) Imports() bool { return p.Mode == Import || p.AutoImport && !p.PushScopeInfo }

// ReadsLeases reports whether leases and reservations matter to a plan.
func (p *Policy) ReadsLeases() bool {
	return p.Mode == Migrate || p.Mode == Sync && (p.SyncIPs || p.PushReservations || p.WithdrawsScopes())
}

// ServerWins reports whether reservations follow a server although
// PushReservations is on.
func (p *Policy) ServerWins() bool {
	return slices.ContainsFunc(p.Servers, func(s Server) bool { return s.NoPush })
}

// Withdraws reports whether reservations that were deleted in NetBox are deleted on
// servers (rule 5.4).
func (p *Policy) Withdraws() bool {
	return p.Mode == Sync && !p.ReadOnly && p.PushReservations && p.DeleteRemoved
}

// WithdrawsScopes reports whether scopes that were deleted in NetBox are deleted on
// servers (rule 5.8).
func (p *Policy) WithdrawsScopes() bool {
	return p.Mode == Sync && !p.ReadOnly && p.PushScopeInfo && p.DeleteScopes
}

// DeletesByRecord reports whether deletes on servers rest on NetBox's change log.
func (p *Policy) DeletesByRecord() bool { return p.Withdraws() || p.WithdrawsScopes() }

// DeletesOnServers reports whether a plan may take something away on a server.
func (p *Policy) DeletesOnServers() bool {
	return p.Withdraws() || p.Mode == Sync && !p.ReadOnly && p.PushScopeInfo
}

// ReadsOptions reports whether options of scopes matter to a plan.
func (p *Policy) ReadsOptions() bool {
	return p.Mode != Migrate && p.Mode != Retire && (p.Imports() || p.RefreshOptions)
}

// OwnStatus reports whether a status is one the mirror gives, or gave.
func (p *Policy) OwnStatus(status string) bool {
	return status == p.LeaseStatus || status == p.ReservationStatus ||
		slices.Contains(p.PreviousLease, status) || slices.Contains(p.PreviousReservation, status) ||
		slices.Contains(p.FormerLease, status) || slices.Contains(p.FormerReservation, status)
}

// Recall takes the statuses of former settings from the memory, but for those that
// the settings name themselves (rule 3.7 status settings changed).
func (p *Policy) Recall(m Memory) {
	p.FormerLease, p.FormerReservation = nil, nil
	for status := range m.Statuses {
		named := p.OwnStatus(status)
		switch {
		case named:
		case m.Statuses[status] == ListLeases:
			p.FormerLease = append(p.FormerLease, status)
		default:
			p.FormerReservation = append(p.FormerReservation, status)
		}
	}
	slices.Sort(p.FormerLease)
	slices.Sort(p.FormerReservation)
}

// LeftAlone reports whether an address has a status of former settings that the
// operator did not name, and is not the mirror's.
func (p *Policy) LeftAlone(x *state.Address) bool {
	return !Managed(x) && (slices.Contains(p.FormerLease, x.Status) || slices.Contains(p.FormerReservation, x.Status))
}

// Class is what a status means to the mirror.
type Class int

// The classes: a status that means nothing to the mirror, a lease, a reservation.
const (
	ClassForeign Class = iota
	ClassLease
	ClassReservation
)

// ClassOf tells the class of an address, and whether its status is one of
// former settings. A former lease status means nothing on an address the
// mirror did not make or adopt; a former reservation status protects as the
// present one does (rule 3.7).
func (p *Policy) ClassOf(x *state.Address) (c Class, former bool) {
	switch {
	case x.Status == p.LeaseStatus:
		return ClassLease, false
	case x.Status == p.ReservationStatus:
		return ClassReservation, false
	case slices.Contains(p.PreviousReservation, x.Status), slices.Contains(p.FormerReservation, x.Status):
		return ClassReservation, true
	case (slices.Contains(p.PreviousLease, x.Status) || slices.Contains(p.FormerLease, x.Status)) && Managed(x):
		return ClassLease, true
	}
	return ClassForeign, false
}

// Managed reports whether the mirror made or adopted an address, and so may
// delete it as a reservation (rule 3.4).
func Managed(x *state.Address) bool {
	return x.Managed == state.Created || x.Managed == state.Adopted
}

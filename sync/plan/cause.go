package plan

import (
	"fmt"
	"net/netip"
	"strings"
)

// Cause says what a note, or a step on an address, is about. Programs go by it;
// people read the rule and the text.
type Cause int

// The causes, in the order of the stages.
const (
	NoCause               Cause = iota
	CauseNotAsked               // a server was not asked
	CauseScope                  // a scope of a server takes no part
	CauseUnread                 // a list could not be read
	CauseMalformed              // some entries of a list could not be understood
	CauseRecord                 // a scope record in NetBox could not be read
	CauseTwoRecords             // two records hold the same scope
	CauseContext                // the config context of a relationship is not usable, or stale
	CauseNoFailover             // a scope belongs to a relationship NetBox does not know
	CauseFailover               // a relationship cannot be recorded
	CauseRelinked               // a scope joined or left a relationship
	CauseNotLinked              // NetBox has a scope in a relationship, its server does not
	CauseNoRecord               // a scope cannot be recorded
	CauseSpan                   // the span of a record cannot follow the server's
	CauseLeaseTime              // a server does not tell a lease time
	CauseOptionTwice            // an option has several values
	CauseLibrary                // the option library cannot be read
	CauseUnknownSource          // a record belongs to no server or relationship of the settings
	CauseScopesLost             // guard c held back the removal of scope records
	CauseOrphans                // addresses stay behind a scope that is gone
	CauseScopePush              // a scope is not written to a server, or with consequences
	CauseStatuses               // the status settings do not work
	CauseOutside                // a server lists addresses outside of the subnet
	CauseNoLease                // entries of a lease list are no leases
	CauseTwice                  // two servers say different things of one address
	CauseSameHost               // several address objects for one host
	CauseProtected              // row 1: a protected address
	CauseProtectedNet           // row 2: no address is made in a protected network
	CauseNewReserved            // row 3
	CauseNewLeased              // row 4
	CauseCompleted              // row 5: a reservation fills in a client id
	CausePrestaged              // row 6
	CauseNetBoxRules            // row 7: NetBox is the truth for reservations
	CauseReserved               // row 8
	CauseLeaseFills             // row 9: a lease fills in a client id
	CauseKept                   // row 10: a reservation of NetBox's own
	CauseLeased                 // row 11
	CauseDowngrade              // a reservation became a lease
	CauseLeaseOver              // the lease on a kept address is over
	CauseStatusMoved            // a former reservation status becomes the present one
	CauseHeldByServer           // a server holds back an address without a lease
	CauseInUse                  // guard e kept an address that is in use
	CauseUnsure                 // guards a and b kept addresses
	CauseLoss                   // guard c kept the addresses of a network
	CausePopulated              // NetBox takes no address in a range
	CauseOtherVRF               // the addresses exist in another VRF
	CausePush                   // a reservation is not written to a server, or with consequences
	CauseReservationsLost       // guard c held back the deletion of reservations
	CauseReadOnly               // read_only holds back changes on servers
	CauseForetold               // an address that a person made goes in a later run
	CauseGivenBack              // an adopted address gets back what it had
	CauseAdoptedStays           // an adopted address stays, since what it had is not known
	CauseShielded               // an address that people assigned, or share, keeps what it has
	CauseOverwrites             // too many statuses of people would be overwritten
	CausePartner                // leases are on the partner alone
	CauseHidden                 // NetBox shows too few of the addresses it had
	CauseFormerStatus           // an address of people has a status of former settings
	CauseExempt                 // servers have leases on addresses of another DHCP server
	CauseStopped                // a recorded scope is not mirrored, and no switch says so
	CauseUnsettled              // which relationship a scope belongs to cannot be told
	CauseDiffers                // NetBox and a server differ in a scope, and it is not clear who is right
	CauseProof                  // a reservation is not deleted on its server, or not yet, for want of proof
	CauseRestored               // NetBox's change log is not the one that was seen before
	CauseReverted               // an edit of a scope in NetBox goes back to what the server has
	CauseMemory                 // the memory belongs to another NetBox, or another memory to this one
)

// Rule is the label of the rule behind a cause, for people: "3.5 row 8".
func (c Cause) Rule() string {
	return [...]string{
		CauseNotAsked: "3.2", CauseScope: "3.2", CauseUnread: "3.8", CauseMalformed: "3.7 guard b", CauseRecord: "5.3", CauseTwoRecords: "4",
		CauseContext: "9 row 35", CauseNoFailover: "4", CauseFailover: "4 step 1", CauseRelinked: "4", CauseNotLinked: "5.3", CauseNoRecord: "4 step 2",
		CauseSpan: "5.1", CauseLeaseTime: "3.9", CauseOptionTwice: "9 row 7", CauseLibrary: "9 row 6", CauseUnknownSource: "3.2",
		CauseScopesLost: "3.7 guard c", CauseOrphans: "3.7", CauseScopePush: "5.3", CauseStatuses: "3.6", CauseOutside: "3.9", CauseNoLease: "3.9",
		CauseTwice: "3.9", CauseSameHost: "3.6", CauseProtected: "3.5 row 1", CauseProtectedNet: "3.5 row 2", CauseNewReserved: "3.5 row 3",
		CauseNewLeased: "3.5 row 4", CauseCompleted: "3.5 row 5", CausePrestaged: "3.5 row 6", CauseNetBoxRules: "3.5 row 7", CauseReserved: "3.5 row 8",
		CauseLeaseFills: "3.5 row 9", CauseKept: "3.5 row 10", CauseLeased: "3.5 row 11", CauseDowngrade: "3.7 downgrade", CauseLeaseOver: "3.6",
		CauseStatusMoved: "3.7 status settings changed", CauseHeldByServer: "3.9", CauseInUse: "3.7 guard e", CauseUnsure: "3.7", CauseLoss: "3.7 guard c",
		CausePopulated: "3.9", CauseOtherVRF: "3.9", CausePush: "5.2", CauseReservationsLost: "5.2", CauseReadOnly: "7",
		CauseForetold: "3.7 guard h", CauseGivenBack: "3.7 guard i", CauseAdoptedStays: "3.7 guard i", CauseShielded: "3.4", CauseOverwrites: "3.5 row 11", CauseExempt: "3.7 guard j", CausePartner: "3.7 guard n", CauseHidden: "3.7 guard m", CauseFormerStatus: "3.7 status settings changed",
		CauseStopped: "3.2 point 1", CauseUnsettled: "3.8 point 1",
		CauseDiffers: "5.6", CauseProof: "5.4", CauseRestored: "3.7 guard l", CauseMemory: "5.5", CauseReverted: "5.1",
	}[c]
}

// Told identifies a note that is shown as a warning the first time only.
type Told struct {
	Cause Cause
	Scope netip.Prefix
	Addr  netip.Addr
}

// toldNames spell the causes of such notes in the memory. They are the words of
// its first version, so that no warning is shown again after an upgrade, and do
// not change when labels of rules do.
func toldNames() map[Cause]string {
	return map[Cause]string{CauseReserved: "3.5 row 8", CauseLeased: "3.5 row 11", CauseAdoptedStays: "adopted stays", CauseShielded: "shielded", CauseExempt: "exempt", CauseFormerStatus: "former status"}
}

// MarshalText writes "cause scope address", for keys of the memory.
func (t Told) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%s %s %s", toldNames()[t.Cause], t.Scope, t.Addr), nil
}

// UnmarshalText reads what MarshalText wrote. A note that this program does not
// know is read as one that no plan has, so that a memory of another version stays
// readable.
func (t *Told) UnmarshalText(text []byte) error {
	*t = Told{}
	for cause, name := range toldNames() {
		rest, ours := strings.CutPrefix(string(text), name+" ")
		scope, addr, two := strings.Cut(rest, " ")
		if !ours || !two {
			continue
		}
		var told Told
		if told.Scope.UnmarshalText([]byte(scope)) == nil && told.Addr.UnmarshalText([]byte(addr)) == nil {
			told.Cause = cause
			*t = told
		}
	}
	return nil
}

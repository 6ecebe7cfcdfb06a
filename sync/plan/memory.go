package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// Memory is what the mirror remembers on its own machine between runs. It may
// be lost: then less is reported and less is deleted, never more.
type Memory struct {
	// Leases holds what is known of the lease on an address, by Place.
	Leases map[Place]LeaseInfo `json:"leases,omitempty"`
	// Pushed holds reservations that were pushed to a server, or seen on it while
	// NetBox had them too, by server and address.
	Pushed map[PushedKey]Pushed `json:"pushed,omitempty"`
	// Scopes holds what NetBox and a server agreed on about a scope.
	Scopes map[ScopeKey]Agreement `json:"scopes,omitempty"`
	// Missing are things in NetBox that the list they rest on lacks, since when.
	Missing map[MissingKey]Sight `json:"missing,omitempty"`
	// Before holds what an address was before the mirror adopted it, by id.
	Before map[int64]Before `json:"before,omitempty"`
	// Described are the descriptions that the mirror gave addresses.
	Described map[Place]string `json:"described,omitempty"`
	// Objects are the address objects that NetBox showed in the scopes that were synced.
	Objects map[Place]Object `json:"objects,omitempty"`
	// Statuses are those that leases and reservations had in any run.
	Statuses map[string]List `json:"statuses,omitempty"`
	// NetBox is the one that this memory is about; zero: none yet (rule 5.5).
	NetBox Identity `json:"netbox,omitzero"`
	// Newest is the newest record of NetBox's change log that a run saw. It must
	// still be there, else NetBox was restored (rule 5.4).
	Newest state.Mark `json:"newest,omitzero"`
	// Deleting tells since when objects of a kind that are gone from NetBox may be
	// deleted on servers; none: that is switched off.
	Deleting map[state.Kind]state.Mark `json:"deleting,omitempty"`
	// Records holds the records of scopes that servers were pushed from.
	Records map[ScopeKey]Recorded `json:"records,omitempty"`
	// Computers are the names of the computers that answered, by server.
	Computers map[string]string `json:"computers,omitempty"`
	// Told are notes that were shown as warnings already.
	Told map[Told]bool `json:"told,omitempty"`
	// Said is when what lasts was told last, by what was said.
	Said map[SaidKey]time.Time `json:"said,omitempty"`
	// Answers are values that a server keeps otherwise than they were sent.
	Answers map[AnswerKey]Answer `json:"answers,omitempty"`
	// Invalid are ids of addresses tagged for their status.
	Invalid map[int64]bool `json:"invalid,omitempty"`
}

// Before is what people had made of an address (rule 3.7 guard i).
type Before struct {
	Place   Place  `json:"place"`
	Status  string `json:"status"`
	DNSName string `json:"dns_name,omitempty"`
}

// Object is an address object of NetBox.
type Object struct {
	ID   int64     `json:"id"`
	Seen time.Time `json:"seen"` // by NetBox's clock
}

// SaidKey identifies a text that a run told.
type SaidKey string

// SaidKeyOf makes a key of all that was said.
func SaidKeyOf(parts ...string) SaidKey {
	return SaidKey(fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(parts, "\x00"))))[:20])
}

// saidAgain is how long what lasts is not told again: a little less than a day, so
// that a daily run tells it each time.
const saidAgain = 23 * time.Hour

// Say notes in m that a text is told at a time, unless before says that it was
// told within the last day: then it is repeated (rule 3.8 point 2).
func (m *Memory) Say(before Memory, key SaidKey, now time.Time) (repeated bool) {
	last, told := before.Said[key]
	repeated = told && !now.Before(last) && now.Sub(last) < saidAgain
	if !repeated {
		last = now
	}
	m.Said[key] = last
	return repeated
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
	// Since is when a run first saw this client's lease as it is now, active or
	// ended; zero: before that was remembered.
	Since time.Time `json:"since,omitzero"`
}

// Pushed is a reservation that both sides had.
type Pushed struct {
	ClientID windhcp.ClientID `json:"client_id"`
	Known
}

// UnmarshalJSON also reads the client id alone, as memories of before have it: on
// such an entry no delete rests.
func (p *Pushed) UnmarshalJSON(data []byte) error {
	type plain Pushed
	if bytes.HasPrefix(data, []byte(`"`)) {
		return json.Unmarshal(data, &p.ClientID)
	}
	return json.Unmarshal(data, (*plain)(p))
}

// Known is an object of NetBox whose deletion may lead to one on a server
// (rule 5.4).
type Known struct {
	Object int64      `json:"object,omitempty"` // its id; 0: not known
	VRF    int64      `json:"vrf,omitempty"`
	Seen   state.Mark `json:"seen,omitzero"`    // the newest record when a run saw the object last
	Sought state.Mark `json:"sought,omitzero"`  // up to where its deletion was looked for in vain
	Record int64      `json:"record,omitempty"` // of its deletion; 0: not found
	First  time.Time  `json:"first,omitzero"`   // when a run saw that record first
	Dated  time.Time  `json:"dated,omitzero"`   // the same by NetBox's clock; zero: not known, so that waiting begins anew
	Held   bool       `json:"held,omitempty"`   // guard c held its deletion on a server back: only a person's word lets it go
}

// Recorded is the record of a scope as a run saw it last.
type Recorded struct {
	Source Source     `json:"source"`
	Start  netip.Addr `json:"start"`
	End    netip.Addr `json:"end"`
	Known
	// Off is when the mirror deactivated it on the server, and Idle since when it is
	// inactive there; zero: it did not, or is not. IdleDated is Idle by NetBox's clock.
	Off       time.Time `json:"off,omitzero"`
	Idle      time.Time `json:"idle,omitzero"`
	IdleDated time.Time `json:"idle_dated,omitzero"`
}

// Clone is a copy that can be changed; no map of it is nil.
func (m Memory) Clone() Memory {
	out := Memory{
		Leases: clone(m.Leases), Pushed: clone(m.Pushed), Scopes: clone(m.Scopes), Missing: clone(m.Missing), Before: clone(m.Before), Described: clone(m.Described), Statuses: clone(m.Statuses), Objects: clone(m.Objects),
		Records: clone(m.Records), Computers: clone(m.Computers), NetBox: m.NetBox, Newest: m.Newest, Deleting: clone(m.Deleting), Told: clone(m.Told), Said: clone(m.Said), Answers: clone(m.Answers), Invalid: clone(m.Invalid),
	}
	delete(out.Told, Told{}) // what another version of the program told
	return out
}

func clone[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return make(map[K]V)
	}
	return maps.Clone(m)
}

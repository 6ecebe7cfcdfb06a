package status

import (
	"encoding/csv"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page"
)

// Counts of entries in one answer.
const (
	defaultLeases = 100
	mostLeases    = 1000
)

// brokenJSON tells that the state folder cannot be read.
func (s *site) brokenJSON(w http.ResponseWriter, err error) {
	s.Log.WithError(err).Error("status page: state not read")
	s.JSON(w, http.StatusInternalServerError, page.Trouble{Error: err.Error()})
}

func (s *site) statusJSON(w http.ResponseWriter, _ *http.Request) {
	o, err := s.overview()
	if err != nil {
		s.brokenJSON(w, err)
		return
	}
	s.JSON(w, http.StatusOK, o)
}

// asked finds the leases that match q, scope, state and server, or answers why it
// does not.
func (s *site) asked(w http.ResponseWriter, q url.Values) (found []lease, ok bool) {
	want, ok := newWanted(q.Get("q"))
	if !ok {
		s.Refuse(w, "q: want text of at most 200 bytes")
		return nil, false
	}
	if err := want.filter(q); err != nil {
		s.Refuse(w, err.Error())
		return nil, false
	}
	all, err := s.leases.all(s.m)
	if err != nil {
		s.brokenJSON(w, err)
		return nil, false
	}
	return find(all, want), true
}

// leasesJSON answers q, scope, state, server, limit and offset.
func (s *site) leasesJSON(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, okLimit := page.Number(q.Get("limit"), defaultLeases)
	offset, okOffset := page.Number(q.Get("offset"), 0)
	if !okLimit || !okOffset || limit < 1 || limit > mostLeases {
		s.Refuse(w, "want limit 1 to 1000 and offset from 0")
		return
	}
	found, ok := s.asked(w, q)
	if !ok {
		return
	}
	names := vrfNames(s.m.Known())
	answer := struct {
		Count   int         `json:"count"` // of all that match
		Offset  int         `json:"offset"`
		Results []leaseView `json:"results"`
	}{Count: len(found), Offset: offset, Results: []leaseView{}}
	for i := offset; i < len(found) && i-offset < limit; i++ {
		answer.Results = append(answer.Results, newLease(&found[i], names))
	}
	s.JSON(w, http.StatusOK, answer)
}

// leasesCSV gives all leases that match q, scope, state and server, for a
// spreadsheet.
func (s *site) leasesCSV(w http.ResponseWriter, r *http.Request) {
	found, ok := s.asked(w, r.URL.Query())
	if !ok {
		return
	}
	names := vrfNames(s.m.Known())
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="leases.csv"`)
	out := csv.NewWriter(w)
	_ = out.Write([]string{"address", "vrf", "hostname", "client_id", "state", "since", "expires", "server", "scope", "seen"})
	for i := range found {
		l := newLease(&found[i], names)
		state := stateEnded
		if l.Active {
			state = stateActive
		}
		network := ""
		if l.Scope.IsValid() {
			network = l.Scope.String()
		}
		_ = out.Write([]string{l.Address.String(), page.Cell(l.VRF), page.Cell(l.Hostname), page.Cell(l.ClientID), state, page.ISO(l.Since), page.ISO(l.Expires), page.Cell(l.Server), network, page.ISO(l.Seen)})
	}
	out.Flush() // the client may be gone
}

func (s *site) addressJSON(w http.ResponseWriter, r *http.Request) {
	text, ok := strings.CutSuffix(r.PathValue("file"), ".json")
	addr, err := netip.ParseAddr(text)
	if !ok || err != nil || addr.Zone() != "" {
		s.Refuse(w, "want an address, such as /api/ip/10.8.4.33.json")
		return
	}
	h, err := s.host(addr.Unmap(), r.URL.Query().Get("vrf"))
	if err != nil {
		s.brokenJSON(w, err)
		return
	}
	s.JSON(w, http.StatusOK, h)
}

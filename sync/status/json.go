package status

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
)

// Counts of entries in one answer.
const (
	defaultLeases = 100
	mostLeases    = 1000
)

func (s *site) writeJSON(w http.ResponseWriter, code int, v any) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		s.log.WithError(err).Error("status page: an answer cannot be written")
		plain(w, http.StatusInternalServerError, "an answer cannot be written: see the log")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(printable.JSON(out.Bytes())) // the client may be gone
}

func (s *site) refuseJSON(w http.ResponseWriter, text string) {
	s.writeJSON(w, http.StatusBadRequest, map[string]string{"error": text})
}

// brokenJSON tells that the state folder cannot be read.
func (s *site) brokenJSON(w http.ResponseWriter, err error) {
	s.log.WithError(err).Error("status page: state not read")
	s.writeJSON(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
}

func (s *site) statusJSON(w http.ResponseWriter, _ *http.Request) {
	o, err := s.overview()
	if err != nil {
		s.brokenJSON(w, err)
		return
	}
	s.writeJSON(w, http.StatusOK, o)
}

// asked finds the leases that match q, scope, state and server, or answers why it
// does not.
func (s *site) asked(w http.ResponseWriter, q url.Values) (found []lease, ok bool) {
	want, ok := newWanted(q.Get("q"))
	if !ok {
		s.refuseJSON(w, "q: want text of at most 200 bytes")
		return nil, false
	}
	if err := want.filter(q); err != nil {
		s.refuseJSON(w, err.Error())
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
	limit, okLimit := number(q.Get("limit"), defaultLeases)
	offset, okOffset := number(q.Get("offset"), 0)
	if !okLimit || !okOffset || limit < 1 || limit > mostLeases {
		s.refuseJSON(w, "want limit 1 to 1000 and offset from 0")
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
	s.writeJSON(w, http.StatusOK, answer)
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
		_ = out.Write([]string{l.Address.String(), cell(l.VRF), cell(l.Hostname), cell(l.ClientID), state, moment(l.Since), moment(l.Expires), cell(l.Server), network, moment(l.Seen)})
	}
	out.Flush() // the client may be gone
}

// cell is a text of others as a cell. Spreadsheets take what begins with these
// characters for a formula.
func cell(text string) string {
	text = printable.Text(text)
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// number reads a count; -1 and worse is none.
func number(text string, absent int) (int, bool) {
	if text == "" {
		return absent, true
	}
	n, err := strconv.ParseInt(text, 10, 31)
	return int(n), err == nil && n >= 0
}

func (s *site) addressJSON(w http.ResponseWriter, r *http.Request) {
	text, ok := strings.CutSuffix(r.PathValue("file"), ".json")
	addr, err := netip.ParseAddr(text)
	if !ok || err != nil || addr.Zone() != "" {
		s.refuseJSON(w, "want an address, such as /api/ip/10.8.4.33.json")
		return
	}
	h, err := s.host(addr.Unmap(), r.URL.Query().Get("vrf"))
	if err != nil {
		s.brokenJSON(w, err)
		return
	}
	s.writeJSON(w, http.StatusOK, h)
}

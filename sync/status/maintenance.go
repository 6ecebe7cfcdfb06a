package status

import (
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// maintenanceView is the maintenance of a server or of a relationship.
type maintenanceView struct {
	Settings bool      `json:"in_settings,omitempty"`
	Button   bool      `json:"by_button,omitempty"`
	Note     string    `json:"note,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	Until    time.Time `json:"until,omitzero"`
}

func newMaintenanceView(settings bool, x mirror.Maintenance, button bool) maintenanceView {
	return maintenanceView{Settings: settings, Button: button, Note: x.Note, Since: x.Since, Until: x.Until}
}

// relationship is a failover relationship of which the last run knew, or that is in
// maintenance.
type relationship struct {
	Name        string          `json:"name"`
	Scopes      int             `json:"scopes"`
	Maintenance maintenanceView `json:"maintenance"`
}

// relationships lists those that have scopes, and those in maintenance, by name.
func (s *site) relationships(known mirror.Known, in mirror.Maintenances) []relationship {
	count := make(map[string]int)
	for _, seen := range known.Servers {
		names := make(map[string]int)
		for _, scope := range seen.Scopes {
			if scope.Source.Failover != "" {
				names[scope.Source.Failover]++
			}
		}
		for name, n := range names {
			count[name] = max(count[name], n)
		}
	}
	for name := range in.Failovers {
		count[name] += 0
	}
	list := []relationship{}
	for name, n := range count {
		x, button := in.Failovers[name]
		settings := false
		for set, f := range s.m.File.Sync.Failover {
			settings = settings || f.Maintenance && strings.EqualFold(set, name)
		}
		list = append(list, relationship{Name: name, Scopes: n, Maintenance: newMaintenanceView(settings, x, button)})
	}
	slices.SortFunc(list, func(a, b relationship) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// maintenanceForm is what the page shows of a maintenance, with its buttons.
type maintenanceForm struct {
	maintenanceView
	Root, Kind, Name string
}

func newMaintenanceForm(root, kind, name string, x maintenanceView) maintenanceForm {
	return maintenanceForm{maintenanceView: x, Root: root, Kind: kind, Name: name}
}

// longestNote is how many characters a note of a maintenance may have.
const longestNote = 200

// maintenance begins or ends the maintenance of a server or of a relationship.
func (s *site) maintenance(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	if err := r.ParseForm(); err != nil {
		s.Fail(w, r, http.StatusBadRequest, "The form cannot be read.")
		return
	}
	of := plan.Source{Failover: r.PostForm.Get("failover")}
	if name := r.PostForm.Get("server"); name != "" {
		server, ok := s.m.File.Sync.FindServer(name)
		if !ok {
			s.Fail(w, r, http.StatusBadRequest, "No server of this name is configured.")
			return
		}
		of.Server = server.Host
	}
	note := strings.TrimSpace(r.PostForm.Get("note"))
	if (of.Server == "") == (of.Failover == "") || len(of.Failover) > page.LongestQuery || !utf8.ValidString(note) || utf8.RuneCountInString(note) > longestNote {
		s.Fail(w, r, http.StatusBadRequest, "Name one server or one relationship, with a note of at most 200 characters.")
		return
	}
	var x *mirror.Maintenance
	if r.PostForm.Get("end") == "" {
		x = &mirror.Maintenance{Note: note, Since: s.Now().UTC().Truncate(time.Second)}
		if text := r.PostForm.Get("for"); text != "" {
			d, err := time.ParseDuration(text)
			if err != nil || d <= 0 || d > 366*24*time.Hour {
				s.Fail(w, r, http.StatusBadRequest, "How long cannot be understood: want a time such as 4h.")
				return
			}
			x.Until = x.Since.Add(d)
		}
	}
	if err := s.m.SetMaintenance(of, x); err != nil {
		s.broken(w, r, err)
		return
	}
	s.Log.WithField("of", of.String()).WithField("begins", x != nil).WithField("note", note).Info("maintenance set on the status page")
	w.Header().Set("Location", "./")
	w.WriteHeader(http.StatusSeeOther)
}

package netboxtest

import (
	"net/netip"
	"slices"
	"time"
)

const changesPath = "core/object-changes"

func (t *txn) now() time.Time { return t.s.clock().UTC().Truncate(time.Microsecond) }

// logChange writes a change record. An update that changes nothing leaves none.
func (t *txn) logChange(m *model, action string, before, after *row, message string) {
	if m.closed || m.noTime || m.path == mappingsPath && !t.s.config.Version.atLeast(5) {
		return
	}
	pre, post := t.snapshot(m, before), t.snapshot(m, after)
	t.note(m, action, before, after, pre, post)
	if action == "update" && same(pre, post) {
		return
	}
	subject := after
	if subject == nil {
		subject = before
	}
	user := "admin"
	if t.call.token != nil {
		user = t.call.token.User
	}
	cols := map[string]any{"time": t.now(), "user_name": user, "request_id": t.call.id, "action": action,
		"changed_object_type": m.label, "changed_object_id": subject.id, "object_repr": t.display(m, subject),
		"message": message, "prechange_data": pre, "postchange_data": post}
	r := &row{id: t.nextID(changesPath), cols: cols}
	t.put(changesPath, r)
}

// snapshot is a row as the change log shows it: raw columns, tags by name, no times. No row is an empty object.
func (t *txn) snapshot(m *model, r *row) map[string]any {
	data := map[string]any{}
	if r == nil {
		return data
	}
	for _, f := range m.fields {
		if f.hidden {
			continue
		}
		v := r.cols[f.name]
		switch x := v.(type) {
		case netip.Prefix:
			v = x.String()
		case time.Time:
			v = t.showTime(x)
		}
		data[f.name] = v
	}
	if !m.plain {
		tags := []any{}
		for _, tag := range t.tagRows(r.tags) {
			tags = append(tags, tag.str("name"))
		}
		data["tags"], data["custom_fields"] = tags, r.cf
	}
	return data
}

// ForgetChanges removes the records of the change log older than a time, as the retention setting does.
func (s *Server) ForgetChanges(before time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tab := s.tables[changesPath]
	for _, id := range slices.Clone(tab.ids) {
		if at, _ := tab.rows[id].cols["time"].(time.Time); at.Before(before) {
			tab.remove(id)
		}
	}
}

// HoldCommits makes writes invisible until ReleaseCommits: they are carried out with ids and times of now, but neither
// seen by others nor answered until then. That is what a long transaction does to readers.
func (s *Server) HoldCommits() {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	if s.held == nil {
		s.held = make(chan struct{})
	}
}

// ReleaseCommits commits and answers what HoldCommits held back.
func (s *Server) ReleaseCommits() {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	if s.held != nil {
		close(s.held)
		s.held = nil
	}
}

// AwaitHeld blocks until n writes wait for ReleaseCommits.
func (s *Server) AwaitHeld(n int) {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	for s.waiting < n {
		s.changed.Wait()
	}
}

// commitHold is what commits wait for, nil if they are not held.
func (s *Server) commitHold() chan struct{} {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	return s.held
}

// awaitRelease keeps a carried out write back until its commit may become visible.
func (s *Server) awaitRelease(held chan struct{}) {
	s.logMu.Lock()
	s.waiting++
	s.changed.Broadcast()
	s.logMu.Unlock()
	<-held
	s.logMu.Lock()
	s.waiting--
	s.logMu.Unlock()
}

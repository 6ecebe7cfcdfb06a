package netboxtest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// Add creates an object as another user's request would, past faults, permissions and the record of requests: fields as
// in a POST. It returns the id. What NetBox would refuse fails the test.
func (s *Server) Add(t testing.TB, path string, fields map[string]any) int64 {
	t.Helper()
	var id int64
	s.edit(t, path, func(tx *txn, m *model) (problems, *refusal) {
		r, bad, no := tx.insert(m, decoded(t, fields))
		if r != nil {
			id = r.id
		}
		return bad, no
	})
	return id
}

// Edit changes an object as another user's PATCH would.
func (s *Server) Edit(t testing.TB, path string, id int64, fields map[string]any) {
	t.Helper()
	s.edit(t, path, func(tx *txn, m *model) (problems, *refusal) {
		r := tx.get(path, id)
		if r == nil {
			t.Fatalf("no %s %d", path, id)
		}
		_, bad, no := tx.change(m, r, decoded(t, fields), true)
		return bad, no
	})
}

// Delete deletes an object, and what hangs on it, as another user's request would.
func (s *Server) Delete(t testing.TB, path string, id int64) {
	t.Helper()
	s.edit(t, path, func(tx *txn, m *model) (problems, *refusal) {
		r := tx.get(path, id)
		if r == nil {
			t.Fatalf("no %s %d", path, id)
		}
		all, blockers := tx.cascade(m, r)
		if len(blockers) > 0 {
			t.Fatalf("delete %s %d: %s", path, id, tx.protectedText(blockers))
		}
		tx.erase(all, "")
		return nil, nil
	})
}

// Get returns an object as a GET shows it, nil if there is none.
func (s *Server) Get(path string, id int64) map[string]any {
	s.mu.RLock()
	defer s.mu.RUnlock()
	tx := s.operator()
	r := tx.get(path, id)
	if r == nil {
		return nil
	}
	return tx.render(s.tables[path].model, r, func(string) bool { return true })
}

// Count is the number of objects of a type.
func (s *Server) Count(path string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.tables[path].rows)
}

// operator is a transaction of a user other than the tokens'.
func (s *Server) operator() *txn {
	c := &call{Request: &http.Request{Method: http.MethodPatch, URL: &url.URL{}, Host: strings.TrimPrefix(s.URL(), "http://"), Header: http.Header{}},
		query: url.Values{}, id: uuid.NewString(), token: &Token{User: "operator", Superuser: true}, began: s.clock()}
	return &txn{s: s, call: c, over: map[string]map[int64]*row{}}
}

func (s *Server) edit(t testing.TB, path string, do func(tx *txn, m *model) (problems, *refusal)) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	tab, ok := s.tables[path]
	if !ok {
		t.Fatalf("the stand-in has no %s", path)
	}
	tx := s.operator()
	bad, no := do(tx, tab.model)
	if out := tx.failed(bad, no); out != nil {
		t.Fatalf("%s: %s", path, marshal(out.body))
	}
	tx.commit()
	s.sendEvents(tx)
}

// decoded passes fields through JSON, so that they arrive as those of a request do.
func decoded(t testing.TB, fields map[string]any) any {
	t.Helper()
	b, err := json.Marshal(fields)
	if err != nil {
		t.Fatalf("encode fields: %v", err)
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("decode fields: %v", err)
	}
	return v
}

package netboxtest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// answer carries a call out.
func (s *Server) answer(c *call) *reply {
	t := &txn{s: s, call: c, over: map[string]map[int64]*row{}}
	if c.Method == http.MethodGet || c.Method == http.MethodHead || c.Method == http.MethodOptions {
		s.mu.RLock()
		defer s.mu.RUnlock()
		return s.attempt(t)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.attempt(t)
	if out.status >= 300 {
		return out
	}
	if held := s.commitHold(); held != nil {
		s.mu.Unlock()
		s.awaitRelease(held)
		s.mu.Lock()
	}
	t.commit()
	s.sendEvents(t)
	return out
}

// attempt does a request up to its commit. An exception inside NetBox is a 500.
func (s *Server) attempt(t *txn) (out *reply) {
	defer func() {
		thrown := recover()
		if thrown == nil {
			return
		}
		failure, ok := thrown.(serverError)
		if !ok {
			panic(thrown)
		}
		out = answer(http.StatusInternalServerError, map[string]any{"error": failure.text, "exception": failure.exception,
			"netbox_version": s.config.Version.release(), "python_version": "3.12.3"})
	}()
	return s.route(t)
}

// route finds the page for a path and checks who may see it.
func (s *Server) route(t *txn) *reply {
	c := t.call
	path, ok := strings.CutPrefix(c.URL.Path, "/api/")
	if !ok {
		return notFoundPage()
	}
	if path, ok = strings.CutSuffix(path, "/"); !ok && path != "" {
		return s.withoutSlash(c)
	}
	parts := strings.Split(path, "/")
	switch {
	case path == "":
		return s.authenticated(c, func() *reply { return s.root(t) })
	case path == "status":
		if s.config.LoginOptional && c.Header.Get("Authorization") == "" {
			return s.statusPage()
		}
		return s.authenticated(c, s.statusPage)
	case path == "authentication-check" && s.config.Version.atLeast(5):
		return s.authenticated(c, func() *reply {
			return answer(http.StatusOK, map[string]any{"id": 1, "url": t.base() + "/api/users/users/1/", "display": c.token.User,
				"username": c.token.User})
		})
	case path == "plugins/installed-plugins":
		return s.authenticated(c, func() *reply { return s.pluginList(c) })
	case len(parts) == 3 && parts[0] == "core" && parts[1] == "jobs":
		return s.authenticated(c, func() *reply { return s.job(parts[2]) })
	case len(parts) < 2 || len(parts) > 4:
		return notFoundPage()
	}
	c.path = parts[0] + "/" + parts[1]
	tab := s.tables[c.path]
	if tab == nil || !s.config.Version.atLeast(tab.model.since) {
		return notFoundPage()
	}
	return s.authenticated(c, func() *reply { return s.object(t, tab.model, parts[2:]) })
}

// withoutSlash is the answer to a path that lacks the slash at its end.
func (s *Server) withoutSlash(c *call) *reply {
	if c.Method != http.MethodGet && c.Method != http.MethodHead && s.config.Version.atLeast(5) {
		return notFoundPage()
	}
	to := c.URL.Path + "/"
	if c.URL.RawQuery != "" {
		to += "?" + c.URL.RawQuery
	}
	return (&reply{status: http.StatusMovedPermanently, body: ""}).set("Location", to)
}

func (s *Server) authenticated(c *call, next func() *reply) *reply {
	if denied := s.authenticate(c); denied != nil {
		return denied
	}
	if r := s.acceptable(c); r != nil {
		return r
	}
	return next()
}

// acceptable refuses a request for another API version than the server's own.
func (s *Server) acceptable(c *call) *reply {
	for _, part := range strings.Split(c.Header.Get("Accept"), ";") {
		if v, ok := strings.CutPrefix(strings.TrimSpace(part), "version="); ok && v != string(s.config.Version) {
			return detail(http.StatusNotAcceptable, `Invalid version in "Accept" header.`)
		}
	}
	return nil
}

func (s *Server) statusPage() *reply {
	v := s.config.Version
	return answer(http.StatusOK, map[string]any{"django-version": "5.2", "hostname": "netboxtest", "installed-apps": map[string]any{},
		"netbox-version": v.release(), "netbox-full-version": v.release(), "plugins": s.pluginVersions(), "python-version": "3.12.3",
		"rq-workers-running": 1})
}

func (s *Server) pluginVersions() map[string]any {
	all := map[string]any{}
	for _, name := range s.config.Plugins {
		all[name] = "1.0.0"
	}
	return all
}

// pluginList is the page of installed plugins, which only superusers may see.
func (s *Server) pluginList(c *call) *reply {
	if !c.token.Superuser {
		return detail(http.StatusForbidden, "You do not have permission to perform this action.")
	}
	list := []any{}
	for _, name := range s.config.Plugins {
		list = append(list, map[string]any{"name": name, "package": name, "author": nil, "author_email": nil, "description": "", "version": "1.0.0"})
	}
	return answer(http.StatusOK, list)
}

func (s *Server) root(t *txn) *reply {
	apps := map[string]any{"status": t.base() + "/api/status/"}
	for path := range s.tables {
		app, _, _ := strings.Cut(path, "/")
		apps[app] = t.base() + "/api/" + app + "/"
	}
	return answer(http.StatusOK, apps)
}

// object answers the list, detail and action pages of a model.
func (s *Server) object(t *txn, m *model, rest []string) *reply {
	if denied := t.authorize(m); denied != nil {
		return denied
	}
	body, bad := t.decodeBody()
	if bad != nil {
		return bad
	}
	if len(rest) == 0 {
		return t.listPage(m, body)
	}
	id, err := strconv.ParseInt(rest[0], 10, 64)
	if err != nil {
		return detail(http.StatusNotFound, "Not found.")
	}
	if len(rest) == 2 {
		if rest[1] == "available-ips" && (m.path == "ipam/prefixes" || m.path == "ipam/ip-ranges") {
			return t.availableIPs(m, id, body)
		}
		return notFoundPage()
	}
	return t.detailPage(m, id, body)
}

func (t *txn) decodeBody() (any, *reply) {
	if len(t.call.body) == 0 || t.call.Method == http.MethodGet {
		return nil, nil
	}
	if ct := t.call.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/json") {
		return nil, detail(http.StatusUnsupportedMediaType, `Unsupported media type "`+ct+`" in request.`)
	}
	d := json.NewDecoder(strings.NewReader(string(t.call.body)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, detail(http.StatusBadRequest, "JSON parse error - "+err.Error())
	}
	return v, nil
}

func (t *txn) listPage(m *model, body any) *reply {
	switch t.call.Method {
	case http.MethodGet, http.MethodHead:
		return t.list(m)
	case http.MethodOptions:
		return t.options(m)
	}
	if m.closed {
		return methodNotAllowed(t.call.Method)
	}
	if t.call.query.Get("background") == "true" && t.s.config.Version.atLeast(7) {
		if list, ok := body.([]any); ok {
			return t.background(m, list)
		}
	}
	return t.writeList(m, body)
}

// writeList carries out a write to a list page.
func (t *txn) writeList(m *model, body any) *reply {
	switch t.call.Method {
	case http.MethodPost:
		if list, ok := body.([]any); ok {
			return t.bulkCreate(m, list)
		}
		return t.create(m, body)
	case http.MethodPatch, http.MethodPut:
		return t.bulkUpdate(m, body)
	case http.MethodDelete:
		return t.bulkDelete(m, body)
	}
	return methodNotAllowed(t.call.Method)
}

func methodNotAllowed(method string) *reply {
	return detail(http.StatusMethodNotAllowed, `Method "`+method+`" not allowed.`)
}

func (t *txn) detailPage(m *model, id int64, body any) *reply {
	action := "view"
	switch t.call.Method {
	case http.MethodPatch, http.MethodPut:
		action = "change"
	case http.MethodDelete:
		action = "delete"
	}
	r := t.get(m.path, id)
	if r == nil || !t.permits(m, action, r) {
		return detail(http.StatusNotFound, "No "+m.class+" matches the given query.")
	}
	switch t.call.Method {
	case http.MethodGet, http.MethodHead:
		return t.withETag(answer(http.StatusOK, t.render(m, r, t.selection(m))), r)
	case http.MethodOptions:
		return t.options(m)
	}
	if m.closed || t.call.Method == http.MethodPost {
		return methodNotAllowed(t.call.Method)
	}
	if out := t.precondition(r); out != nil {
		return out
	}
	if t.call.Method == http.MethodDelete {
		return t.deleteOne(m, r, body)
	}
	return t.updateOne(m, r, body)
}

// etag is the weak entity tag of a row.
func etag(r *row) string {
	at := r.updated
	if at.IsZero() {
		at = r.created
	}
	return `W/"` + strings.Replace(isoTime(at.UTC()), "Z", "+00:00", 1) + `"`
}

func (t *txn) withETag(out *reply, r *row) *reply {
	if t.s.config.Version.atLeast(6) && !r.created.IsZero() {
		out.set("ETag", etag(r))
	}
	return out
}

// precondition compares If-Match with the row's entity tag.
func (t *txn) precondition(r *row) *reply {
	given := t.call.Header.Get("If-Match")
	if given == "" || given == "*" || !t.s.config.Version.atLeast(6) || r.created.IsZero() {
		return nil
	}
	tags := strings.Split(given, ",")
	for i := range tags {
		tags[i] = strings.TrimSpace(tags[i])
	}
	if slices.Contains(tags, etag(r)) {
		return nil
	}
	return detail(http.StatusPreconditionFailed, "Precondition failed.").set("ETag", etag(r))
}

package page

import (
	"bytes"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/docs/spec"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// Link is a link to another page, which counts from the first page.
type Link struct{ Target, Label string }

// Notice is a setting that whoever looks at the page must know about.
type Notice struct{ Key, Value, Origin, Effect string }

// About is what all pages of a program say.
type About struct {
	Program string // its name
	Key     string // section of the page in the settings, such as sync.status

	Nav        []Link
	ForScripts []Link // what programs ask for instead of the pages
	// SearchPage takes what is searched for as q.
	SearchPage, SearchFor, SearchHint string
}

// Frame is what one page has besides what it is about. Templates use it.
type Frame struct {
	*About
	Title  string
	Root   string // from this page to the first one
	Here   string // target of the link in Nav that leads here; empty: none does
	Style  template.CSS
	Script string // own file, from the first page; empty: none
	Reload int    // seconds after which a browser without Script loads the page again; 0: never
	Query  string // that is searched for
	Now    time.Time
	Banner []Notice
	Rules  *Rules
}

// Ago tells how long t is past, or how far ahead.
func (f Frame) Ago(t time.Time) string { return Ago(f.Now, t) }

// Site is what the pages of one program are served with.
type Site struct {
	About
	Log       logrus.FieldLogger
	Now       func() time.Time
	Templates *Templates
	// Scripts lets pages run scripts that this site serves, and those ask it for more.
	Scripts bool
	// Banner lists what is to be said on each page; nil: nothing.
	Banner func() []Notice

	login *login
}

// LetIn makes the login of the site: what the settings say for a page that listens
// there. cookie is the name of the cookie of a session.
func (s *Site) LetIn(status *settings.Status, cookie, listen string) {
	s.login = &login{
		token: status.Token, cookie: cookie, trusted: status.Socket() != "", now: s.Now,
		reading: listen != "" && status.Socket() == "" && !Loopback(listen),
	}
}

// Frame is that of a page with this title; root leads from it to the first one.
func (s *Site) Frame(title, root string) Frame {
	f := Frame{
		About: &s.About, Title: title, Root: root, Now: s.Now(), Style: s.Templates.Style,
		Rules: NewRules(func(r spec.Rule) string { return root + "rules/" + url.PathEscape(r.ID) }),
	}
	if s.Banner != nil {
		f.Banner = s.Banner()
	}
	return f
}

// Root leads from a page with this path to the first one.
func Root(path string) string {
	if up := strings.Count(path, "/") - 1; up > 0 {
		return strings.Repeat("../", up)
	}
	return "./"
}

// Render writes a page. It may load nothing but its own style, and what Scripts
// says (WEB-4).
func (s *Site) Render(w http.ResponseWriter, code int, name string, data any) {
	var out bytes.Buffer
	if err := s.Templates.ExecuteTemplate(&out, name, data); err != nil {
		s.Log.WithError(err).WithField("page", name).Error("status page: a page cannot be written")
		Line(w, http.StatusInternalServerError, "the page cannot be written: see the log")
		return
	}
	scripts := ""
	if s.Scripts {
		scripts = "script-src 'self'; connect-src 'self'; "
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src '"+Digest(string(s.Templates.Style))+
		"'; "+scripts+"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(out.Bytes()) // the client may be gone
}

// Fail shows a page with one sentence.
func (s *Site) Fail(w http.ResponseWriter, r *http.Request, code int, text string) {
	s.Render(w, code, "message", struct {
		Frame
		Text string
	}{s.Frame(http.StatusText(code), Root(r.URL.Path)), text})
}

// Rule shows what the rule in the path says.
func (s *Site) Rule(w http.ResponseWriter, r *http.Request) {
	rule, ok := spec.Lookup(r.PathValue("rule"))
	if !ok {
		s.Fail(w, r, http.StatusNotFound, "There is no rule with this id.")
		return
	}
	text, err := RuleText(rule)
	if err != nil {
		s.Log.WithError(err).Error("status page: a rule cannot be written")
		s.Fail(w, r, http.StatusInternalServerError, "The rule cannot be written: see the log.")
		return
	}
	s.Render(w, http.StatusOK, "rulepage", struct {
		Frame
		Rule spec.Rule
		Text template.HTML
	}{s.Frame(rule.Title, "../"), rule, text})
}

// Guard lets through what may be done, and shows others the way in. It serves
// /login and /logout.
func (s *Site) Guard(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, _ *http.Request) { s.showLogin(w, http.StatusOK, "./", "") })
	mux.HandleFunc("POST /login", s.logIn)
	mux.HandleFunc("POST /logout", s.logOut)
	mux.Handle("/", next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		script := strings.HasPrefix(r.URL.Path, "/api/") || r.URL.Path == "/metrics" || r.URL.Path == "/readyz" || r.URL.Path == "/healthz"
		switch {
		case r.URL.Path == "/login" || s.login.may(r):
			mux.ServeHTTP(w, r)
		case script || r.Header.Get("Authorization") != "":
			w.Header().Set("WWW-Authenticate", "Bearer")
			s.JSON(w, http.StatusUnauthorized, Trouble{"want the token of " + s.Key + ".token_file as Bearer"})
		case !s.login.possible():
			s.Fail(w, r, http.StatusForbidden, "Buttons need a token here: set "+s.Key+".token_file, and log in with it.")
		default:
			s.showLogin(w, http.StatusUnauthorized, Root(r.URL.Path), "")
		}
	})
}

func (s *Site) showLogin(w http.ResponseWriter, code int, root, why string) {
	s.Render(w, code, "login", struct {
		Frame
		Why string
	}{s.Frame("Log in", root), why})
}

func (s *Site) logIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	if err := r.ParseForm(); err != nil || !s.login.right(r.PostForm.Get("token")) {
		s.Log.Warn("a login to the status page failed")
		s.showLogin(w, http.StatusUnauthorized, "./", "This is not the token, or too many were wrong within a minute.")
		return
	}
	http.SetCookie(w, s.login.begin())
	w.Header().Set("Location", "./")
	w.WriteHeader(http.StatusSeeOther)
}

func (s *Site) logOut(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, s.login.end(r))
	w.Header().Set("Location", "./")
	w.WriteHeader(http.StatusSeeOther)
}

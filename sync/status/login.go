package status

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"
	"time"

	shared "github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

const (
	sessionCookie = "netbox_dhcp_sync"
	sessionLasts  = 12 * time.Hour
	mostSessions  = 1000
	mostFailures  = 10 // logins that failed in a minute, before no more are looked at
)

// login decides who may see the page and press its buttons (rule 9 row 56). The
// token comes as Bearer, or once into a form that sets a cookie; never in a URL.
type login struct {
	token func() (shared.Secret, error) // an empty one: none is set
	// trusted: a web server in front is the login, and nobody else reaches the
	// socket. What it says in headers is not believed, since it is not needed.
	trusted bool
	// reading needs the token too: the page is served beyond loopback.
	reading bool
	now     func() time.Time

	mu       sync.Mutex
	sessions map[string]time.Time // their ends
	failures []time.Time
}

// may reports whether a request may do what it asks for.
func (l *login) may(r *http.Request) bool {
	changes := r.Method == http.MethodPost // no other method leads anywhere
	return l.trusted || !changes && !l.reading || l.known(r)
}

// possible reports whether there is a token to log in with.
func (l *login) possible() bool {
	token, err := l.token()
	return err == nil && token != ""
}

// known reports whether a request has the token, or a session that it began.
func (l *login) known(r *http.Request) bool {
	if text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return l.right(text)
	}
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	end, ok := l.sessions[cookie.Value]
	return ok && l.now().Before(end)
}

// right compares a token in a time that says nothing about it. After several wrong
// ones none is right for a while.
func (l *login) right(text string) bool {
	token, err := l.token()
	if err != nil || token == "" {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.failures) > 0 && l.now().Sub(l.failures[0]) > time.Minute {
		l.failures = l.failures[1:]
	}
	if len(l.failures) >= mostFailures {
		return false
	}
	want, got := sha256.Sum256([]byte(token.Reveal())), sha256.Sum256([]byte(strings.TrimSpace(text)))
	if subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		l.failures = append(l.failures, l.now())
		return false
	}
	return true
}

// begin makes a session.
func (l *login) begin() *http.Cookie {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, end := range l.sessions {
		if !l.now().Before(end) || len(l.sessions) >= mostSessions {
			delete(l.sessions, id)
		}
	}
	id := rand.Text()
	if l.sessions == nil {
		l.sessions = make(map[string]time.Time)
	}
	l.sessions[id] = l.now().Add(sessionLasts)
	return &http.Cookie{Name: sessionCookie, Value: id, Path: "/", MaxAge: int(sessionLasts / time.Second), HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode}
}

// guard lets through what may be done, and shows others the way in.
func (s *site) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		script := strings.HasPrefix(r.URL.Path, "/api/") || r.URL.Path == "/metrics" || r.URL.Path == "/readyz" || r.URL.Path == "/healthz"
		switch {
		case r.URL.Path == "/login" || s.login.may(r):
			next.ServeHTTP(w, r)
		case script || r.Header.Get("Authorization") != "":
			w.Header().Set("WWW-Authenticate", "Bearer")
			s.writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "want the token of sync.status.token_file as Bearer"})
		case !s.login.possible():
			s.fail(w, r, http.StatusForbidden, "Buttons need a token here: set sync.status.token_file, and log in with it.")
		default:
			s.showLogin(w, http.StatusUnauthorized, strings.Repeat("../", strings.Count(r.URL.Path, "/")-1), "")
		}
	})
}

func (s *site) showLogin(w http.ResponseWriter, code int, root, why string) {
	if root == "" {
		root = "./"
	}
	s.render(w, code, "login", struct {
		frame
		Why string
	}{s.frame("Log in", root), why})
}

func (s *site) loginPage(w http.ResponseWriter, _ *http.Request) {
	s.showLogin(w, http.StatusOK, "", "")
}

func (s *site) logIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	if err := r.ParseForm(); err != nil || !s.login.right(r.PostForm.Get("token")) {
		s.log.Warn("a login to the status page failed")
		s.showLogin(w, http.StatusUnauthorized, "", "This is not the token, or too many were wrong within a minute.")
		return
	}
	http.SetCookie(w, s.login.begin())
	w.Header().Set("Location", "./")
	w.WriteHeader(http.StatusSeeOther)
}

func (s *site) logOut(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		s.login.mu.Lock()
		delete(s.login.sessions, cookie.Value)
		s.login.mu.Unlock()
	}
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1, HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode})
	w.Header().Set("Location", "./")
	w.WriteHeader(http.StatusSeeOther)
}

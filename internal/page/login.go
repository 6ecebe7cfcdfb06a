package page

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

const (
	sessionLasts = 12 * time.Hour
	mostSessions = 1000
)

// MostFailures is how many logins may fail in a minute before no more are looked at.
const MostFailures = 10

// login decides who may see the page and press its buttons (WEB-2, rule 9 row 56). The
// token comes as Bearer, or once into a form that sets a cookie; never in a URL.
type login struct {
	token  func() (settings.Secret, error) // an empty one: none is set
	cookie string                          // name of the cookie of a session
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
	cookie, err := r.Cookie(l.cookie)
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
	if len(l.failures) >= MostFailures {
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
	return &http.Cookie{Name: l.cookie, Value: id, Path: "/", MaxAge: int(sessionLasts / time.Second), HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode}
}

// end ends the session of a request, and returns what takes its cookie away.
func (l *login) end(r *http.Request) *http.Cookie {
	if cookie, err := r.Cookie(l.cookie); err == nil {
		l.mu.Lock()
		delete(l.sessions, cookie.Value)
		l.mu.Unlock()
	}
	return &http.Cookie{Name: l.cookie, Path: "/", MaxAge: -1, HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode}
}

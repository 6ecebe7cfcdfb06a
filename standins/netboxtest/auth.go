package netboxtest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Token is an API token and the permissions of its user.
type Token struct {
	Value     string // as sent: 40 characters (v1), or nbt_<key>.<secret> (v2)
	User      string // "": admin
	ReadOnly  bool   // write_enabled: false
	Disabled  bool
	Expires   time.Time // zero: never
	Superuser bool
	Grants    []Grant
}

// Grant is one object permission.
type Grant struct {
	Object  string   // "ipam.ipaddress"
	Actions []string // of view, add, change, delete; none: all four
	Tag     string   // only objects that carry the tag of this slug
	IDs     []int64  // only these objects
}

const (
	tokenV1 = "0123456789abcdef0123456789abcdef01234567"
	tokenV2 = "nbt_TESTKEY00001.0123456789abcdefghijABCDEFGHIJ0123456789"
)

func defaultTokens() []*Token {
	return []*Token{{Value: tokenV1, User: "admin", Superuser: true}, {Value: tokenV2, User: "admin", Superuser: true}}
}

// TokenV1 is a superuser's token that every version accepts.
func (s *Server) TokenV1() string { return tokenV1 }

// TokenV2 is a superuser's token that NetBox accepts from 4.5 on.
func (s *Server) TokenV2() string { return tokenV2 }

// AddToken adds a token, or replaces the one of the same value.
func (s *Server) AddToken(t Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.User == "" {
		t.User = "admin"
	}
	s.tokens = slices.DeleteFunc(s.tokens, func(old *Token) bool { return old.Value == t.Value })
	s.tokens = append(s.tokens, &t)
}

// Permit replaces the permissions of the token's user, who is no superuser from then on. An unknown token is added.
func (s *Server) Permit(token string, grants ...Grant) {
	s.AddToken(Token{Value: token, User: "limited", Grants: grants})
}

// allows reports whether a token may do something to objects of a model at all.
func (t *Token) allows(label, action string) bool {
	return t.Superuser || slices.ContainsFunc(t.Grants, func(g Grant) bool { return g.covers(label, action) })
}

func (g Grant) covers(label, action string) bool {
	return g.Object == label && (len(g.Actions) == 0 || slices.Contains(g.Actions, action))
}

// permits reports whether the call's token may do something to one row.
func (t *txn) permits(m *model, action string, r *row) bool {
	tok := t.call.token
	if tok == nil || tok.Superuser {
		return true
	}
	return slices.ContainsFunc(tok.Grants, func(g Grant) bool {
		if !g.covers(m.label, action) || len(g.IDs) > 0 && !slices.Contains(g.IDs, r.id) {
			return false
		}
		return g.Tag == "" || slices.ContainsFunc(r.tags, func(id int64) bool {
			tag := t.get("extras/tags", id)
			return tag != nil && tag.str("slug") == g.Tag
		})
	})
}

// authenticate finds the call's token. The lock must be held.
func (s *Server) authenticate(c *call) *reply {
	words := strings.Fields(c.Header.Get("Authorization"))
	if len(words) == 0 || !strings.EqualFold(words[0], "token") && !strings.EqualFold(words[0], "bearer") {
		return detail(http.StatusForbidden, "Authentication credentials were not provided.")
	}
	v := s.config.Version
	if !v.atLeast(5) && strings.EqualFold(words[0], "bearer") {
		return detail(http.StatusForbidden, "Authentication credentials were not provided.")
	}
	if len(words) != 2 {
		return detail(http.StatusForbidden, `Invalid authorization header: Must be in the form "Bearer <key>.<token>" or "Token <token>"`)
	}
	kind, invalid := "v1", "Invalid token"
	if strings.HasPrefix(words[1], "nbt_") {
		kind = "v2"
	}
	if v.atLeast(5) {
		invalid = "Invalid " + kind + " token"
	}
	i := slices.IndexFunc(s.tokens, func(t *Token) bool { return t.Value == words[1] })
	switch {
	case i < 0, kind == "v2" && !v.atLeast(5):
		return detail(http.StatusForbidden, invalid)
	case s.tokens[i].Disabled && v.atLeast(5):
		return detail(http.StatusForbidden, "Token disabled")
	case !s.tokens[i].Expires.IsZero() && !c.began.Before(s.tokens[i].Expires):
		return detail(http.StatusForbidden, "Token expired")
	}
	c.token = s.tokens[i]
	return nil
}

// authorize checks the token's right to use a method on a model.
func (t *txn) authorize(m *model) *reply {
	action := map[string]string{http.MethodGet: "view", http.MethodHead: "view", http.MethodPost: "add",
		http.MethodPut: "change", http.MethodPatch: "change", http.MethodDelete: "delete"}[t.call.Method]
	if action == "" {
		return nil
	}
	if action != "view" && t.call.token.ReadOnly || !t.call.token.allows(m.label, action) {
		return detail(http.StatusForbidden, "You do not have permission to perform this action.")
	}
	return nil
}

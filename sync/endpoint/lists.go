package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

const (
	opScopes      = "read scopes"
	opOptions     = "read options"
	opUpdateScope = "update scope"
)

// Health asks whether the endpoints answer. A script before 1.0.0 has no such
// call; then the scope list decides (rule 1.5).
func (c *Client) Health(ctx context.Context) (Health, error) {
	k := call{op: "read health", path: "health", class: "health"}
	got, err := c.read(ctx, k)
	if err == nil {
		var fields map[string]json.RawMessage
		if fields, err = object(got.Body); err == nil {
			out := health(newRecord(fields), got.Words)
			c.said.Store(&out)
			return out, nil
		}
		err = c.decoding(err, k, got)
	}
	switch KindOf(err) {
	case NotFound, BadToken, NotInstalled, Blank, Garbled, Forbidden, ServerError:
		return Health{}, c.Scopes(ctx, false).Err
	case Unreachable:
		if e, ok := errors.AsType[*Error](err); ok && !e.unsent() { // the server took the connection, and dropped this call
			return Health{}, c.Scopes(ctx, false).Err
		}
	}
	return Health{}, err
}

// health reads the answer; words makes foreign text fit for people.
func health(r *record, words func(string) string) Health {
	out := Health{
		Version: words(r.text("version")), Script: words(r.text("script")), Computer: words(r.text("computer")),
		Rights: Rights(words(r.text("rights"))), Trouble: words(r.text("error")),
	}
	for _, name := range r.texts("calls") {
		out.Calls = append(out.Calls, words(name))
	}
	if id := words(r.text("error_id")); id != "" && out.Trouble != "" {
		out.Trouble += " (" + id + ")"
	}
	return out
}

// CheckWriter asks whether this program may write, without writing anything. The
// server answers 401 or 403 if its token may not, a script before 1.0.0 401 or 404,
// and one without routes that write 404 or 405.
func (c *Client) CheckWriter(ctx context.Context) error {
	return c.write(ctx, call{op: "check the right to write", method: http.MethodPost, path: "health", class: "health", body: struct{}{}})
}

// Scopes lists the server's scopes. With activeOnly the others are left out,
// here too, since scripts before 1.0.2 ignore the wish (rule 3.2).
func (c *Client) Scopes(ctx context.Context, activeOnly bool) windhcp.List[windhcp.Scope] {
	return c.scopes(ctx, activeOnly, true)
}

func (c *Client) scopes(ctx context.Context, activeOnly, routers bool) windhcp.List[windhcp.Scope] {
	k := call{op: opScopes, path: "scopes", class: "scopes", query: url.Values{}}
	if activeOnly {
		k.query.Set("active_only", "true")
	}
	if !routers {
		k.query.Set("include_router", "false")
	}
	list := readList(ctx, c, k, []string{"scope_id", "network_address"}, decodeScope)
	if activeOnly {
		list.Items = slices.DeleteFunc(list.Items, func(s windhcp.Scope) bool { return !s.Active() })
	}
	return list
}

// Leases lists the running leases of a scope. An empty list is no proof that
// there are none (rule 1.4 quirk 3); this holds for Reservations and
// Exclusions too.
func (c *Client) Leases(ctx context.Context, scope netip.Addr) windhcp.List[windhcp.Lease] {
	return readList(ctx, c, ofScope("leases", scope), []string{"ip_address"}, within(scope, decodeLease))
}

// Reservations lists the reservations of a scope.
func (c *Client) Reservations(ctx context.Context, scope netip.Addr) windhcp.List[windhcp.Reservation] {
	return readList(ctx, c, ofScope("reservations", scope), []string{"ip_address"}, within(scope, decodeReservation))
}

// Exclusions lists the exclusions of a scope.
func (c *Client) Exclusions(ctx context.Context, scope netip.Addr) windhcp.List[windhcp.Exclusion] {
	return readList(ctx, c, ofScope("exclusions", scope), []string{"start_ip", "start_range"}, within(scope, decodeExclusion))
}

// ScopeOptions lists the option values of a scope.
func (c *Client) ScopeOptions(ctx context.Context, scope netip.Addr) windhcp.List[windhcp.Option] {
	k := call{op: opOptions + " of scope " + scope.String(), path: "options/scope/" + scope.String(), class: "options/scope/:scope_id"}
	return readList(ctx, c, k, optionIdentity(), decodeOption)
}

// ServerOptions lists the option values that hold for all scopes.
func (c *Client) ServerOptions(ctx context.Context) windhcp.List[windhcp.Option] {
	return readList(ctx, c, call{op: opOptions + " of the server", path: "options/server", class: "options/server"}, optionIdentity(), decodeOption)
}

// Failovers lists the relationships as this server sees them: it always names
// itself as primary (rule 1.4 quirk 5).
func (c *Client) Failovers(ctx context.Context) windhcp.List[windhcp.Failover] {
	return readList(ctx, c, call{op: "read failover relationships", path: "failover", class: "failover"}, []string{"name"}, decodeFailover)
}

func ofScope(what string, scope netip.Addr) call {
	return call{op: "read " + what + " of scope " + scope.String(), path: what, class: what, query: url.Values{"scope_id": {scope.String()}}}
}

// within decodes an entry of a list that was asked for by scope, and refuses
// one that says it is another scope's.
func within[T any](scope netip.Addr, decode func(*record) T) func(*record) T {
	return func(r *record) T {
		if id := r.addr("scope_id", "network_address"); id.IsValid() && id != scope {
			r.fail("belongs to scope %s", id)
		}
		return decode(r)
	}
}

// readList reads a list of entries that have one of the identity values.
func readList[T any](ctx context.Context, c *Client, k call, identity []string, decode func(*record) T) windhcp.List[T] {
	got, err := c.read(ctx, k)
	if err != nil {
		return windhcp.List[T]{Err: err}
	}
	list := decodeList(got.Body, identity, decode)
	if list.Err != nil {
		list.Err = c.decoding(list.Err, k, got)
	}
	return list
}

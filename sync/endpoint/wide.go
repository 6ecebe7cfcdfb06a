package endpoint

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// giveUpAfter is how many scopes may fail in the way of a server that is gone
// before the others are not asked.
const giveUpAfter = 3

// ByScope is a list of the whole server, sorted by scope.
type ByScope[T any] struct {
	lists map[netip.Addr]windhcp.List[T]
	whole bool     // the server was asked for everything, not for some scopes
	stray []string // malformed entries that may belong to any scope
	err   error
}

// Of returns the list of one scope. It is empty if the server told of other
// scopes only, and has the error windhcp.ErrNotRead if it was not asked for. An
// entry without a scope may belong to any: it makes every list incomplete
// (rule 3.7 guard b).
func (b ByScope[T]) Of(scope netip.Addr) windhcp.List[T] {
	list, ok := b.lists[scope]
	switch {
	case b.err != nil:
		list.Err = b.err
	case !ok && !b.whole:
		list.Err = windhcp.ErrNotRead
	}
	list.Malformed = slices.Concat(list.Malformed, b.stray)
	return list
}

// Scopes returns the ids of the scopes that have a list, in order.
func (b ByScope[T]) Scopes() []netip.Addr {
	return slices.SortedFunc(maps.Keys(b.lists), netip.Addr.Compare)
}

// Err is why nothing was read at all.
func (b ByScope[T]) Err() error { return b.err }

// AllLeases reads the leases of the whole server with one request. If the
// server cannot do that in time, it reads those of the given scopes one by one
// (rule 10).
func (c *Client) AllLeases(ctx context.Context, scopes []netip.Addr) ByScope[windhcp.Lease] {
	return wide(ctx, c, "leases", scopes, decodeLease, c.Leases)
}

// AllReservations reads the reservations of the whole server as AllLeases does
// the leases.
func (c *Client) AllReservations(ctx context.Context, scopes []netip.Addr) ByScope[windhcp.Reservation] {
	return wide(ctx, c, "reservations", scopes, decodeReservation, c.Reservations)
}

func wide[T any](ctx context.Context, c *Client, what string, scopes []netip.Addr, decode func(*record) T,
	one func(context.Context, netip.Addr) windhcp.List[T],
) ByScope[T] {
	k := call{op: "read " + what, path: what, class: what}
	got, err := c.read(ctx, k)
	if err == nil {
		out := sortByScope(got.Body, decode)
		if out.err == nil {
			return out
		}
		err = c.decoding(out.err, k, got)
	}
	if c.onlyThis(ctx, err) {
		c.log.WithError(err).Warn("the server cannot tell a list of all scopes at once, reading scope by scope")
		return oneByOne(ctx, c, scopes, one)
	}
	return ByScope[T]{err: err}
}

// onlyThis reports whether a list may have failed because it was too much to
// ask for, so that its parts are worth asking for.
func (c *Client) onlyThis(ctx context.Context, err error) bool {
	switch KindOf(err) {
	case TimedOut, ServerError, Blank, Garbled, TooLarge:
		return true
	case Unreachable:
		_, gone := c.Health(ctx)
		return gone == nil
	}
	return false
}

func sortByScope[T any](body []byte, decode func(*record) T) ByScope[T] {
	raw, err := entries(body, func(r *record) bool { return r.has("ip_address") })
	if err != nil {
		return ByScope[T]{err: err}
	}
	out := ByScope[T]{lists: make(map[netip.Addr]windhcp.List[T]), whole: true}
	var stray complaints
	wrong := make(map[netip.Addr]*complaints)
	for i, one := range raw {
		r, err := readRecord(one)
		if err != nil {
			stray.add(i, err)
			continue
		}
		scope := r.needAddr("scope_id", "network_address")
		item := decode(r)
		list := out.lists[scope]
		switch err := r.err(); {
		case err != nil && !scope.IsValid():
			stray.add(i, err)
			continue
		case err != nil:
			if wrong[scope] == nil {
				wrong[scope] = &complaints{}
			}
			wrong[scope].add(i, err)
		default:
			list.Items = append(list.Items, item)
		}
		out.lists[scope] = list
	}
	for scope, c := range wrong {
		list := out.lists[scope]
		list.Malformed = c.texts()
		out.lists[scope] = list
	}
	out.stray = stray.texts()
	return out
}

// oneByOne reads scope after scope, so that a failure about one leaves the others
// readable. A server that does not answer any more is not asked for the rest, and
// neither is one that takes too long, or drops or refuses the call, for several
// scopes (rule 3.8 point 22).
func oneByOne[T any](ctx context.Context, c *Client, scopes []netip.Addr, one func(context.Context, netip.Addr) windhcp.List[T]) ByScope[T] {
	out := ByScope[T]{lists: make(map[netip.Addr]windhcp.List[T], len(scopes))}
	var (
		mu       sync.Mutex
		failures int
		gone     error
		group    errgroup.Group
	)
	group.SetLimit(c.config.Parallel)
	for _, scope := range scopes {
		group.Go(func() error {
			mu.Lock()
			list := windhcp.List[T]{Err: gone}
			mu.Unlock()
			if list.Err == nil {
				list = one(ctx, scope)
			}
			fails, ends := c.ominous(ctx, list.Err)
			mu.Lock()
			defer mu.Unlock()
			out.lists[scope] = list
			if fails {
				failures++
			}
			if gone == nil && (ends || failures >= giveUpAfter) {
				gone = fmt.Errorf("not asked after other scopes: %w", list.Err)
			}
			return nil
		})
	}
	_ = group.Wait() // no function of the group fails: errors are in the lists
	return out
}

// ominous reports whether an error is one that a server would give for other
// scopes as well, and whether it surely does: then it does not answer other calls
// either.
func (c *Client) ominous(ctx context.Context, err error) (fails, ends bool) {
	switch kind := KindOf(err); {
	case kind == TimedOut:
		return true, false
	case Shut(kind):
		return true, true
	case kind == Unreachable, kind == BadToken, kind == Forbidden, kind == NotInstalled:
		_, gone := c.Health(ctx)
		return true, gone != nil
	}
	return false, false
}

// AllExclusions reads the exclusions of all scopes with one request, where the
// server has the call for it (rule 1.9), and else those of the given scopes one
// by one.
func (c *Client) AllExclusions(ctx context.Context, scopes []netip.Addr) ByScope[windhcp.Exclusion] {
	k := call{op: "read exclusions", path: "exclusions", class: "exclusions"}
	return keyed(ctx, c, k, scopes, []string{"start_ip", "start_range"}, decodeExclusion, c.Exclusions)
}

// AllOptions reads the option values of all scopes as AllExclusions does the
// exclusions.
func (c *Client) AllOptions(ctx context.Context, scopes []netip.Addr) ByScope[windhcp.Option] {
	return keyed(ctx, c, allOptions(), scopes, optionIdentity(), decodeOption, c.ScopeOptions)
}

func allOptions() call { return call{op: opOptions, path: "options", class: "options"} }

func optionIdentity() []string { return []string{"code", "option_id"} }

// keyed reads an answer that is an object with a list for each scope. A server
// that cannot give it, for whatever reason that is not one of the connection, is
// asked scope by scope: one call says nothing about the others.
func keyed[T any](ctx context.Context, c *Client, k call, scopes []netip.Addr, identity []string, decode func(*record) T,
	one func(context.Context, netip.Addr) windhcp.List[T],
) ByScope[T] {
	if !c.Lists() {
		return oneByOne(ctx, c, scopes, one)
	}
	out := atOnce(ctx, c, k, identity, decode)
	kind := KindOf(out.err)
	if Shut(kind) || kind == Unreachable && !c.onlyThis(ctx, out.err) {
		return out
	}
	if out.err != nil {
		c.log.WithError(out.err).Warn("the server cannot tell a list of all scopes at once, reading scope by scope")
		return oneByOne(ctx, c, scopes, one)
	}
	return out
}

// atOnce makes the one request.
func atOnce[T any](ctx context.Context, c *Client, k call, identity []string, decode func(*record) T) ByScope[T] {
	got, err := c.read(ctx, k)
	if err != nil {
		return ByScope[T]{err: err}
	}
	out := takeApart(got.Body, identity, decode)
	if out.err != nil {
		return ByScope[T]{err: c.decoding(out.err, k, got)}
	}
	// Ours names each scope it read, so one it does not name was not read.
	out.whole = !c.said.Load().Ours()
	return out
}

// ScopesWithOptions reads the scopes of a server with our script without their
// routers, and the options of all of them, which have the routers: so the server
// runs one cmdlet less for each scope (rule 1.9). From other servers, whose options
// do not tell a router of a policy from the scope's own, and where an option cannot
// be read, it gives what Scopes gives, and no options.
func (c *Client) ScopesWithOptions(ctx context.Context, activeOnly bool) (windhcp.List[windhcp.Scope], map[netip.Addr]windhcp.List[windhcp.Option]) {
	if said := c.said.Load(); said == nil || !said.Ours() {
		return c.Scopes(ctx, activeOnly), nil
	}
	list := c.scopes(ctx, activeOnly, false)
	if list.Err != nil {
		return list, nil
	}
	all := atOnce(ctx, c, allOptions(), optionIdentity(), decodeOption)
	options := make(map[netip.Addr]windhcp.List[windhcp.Option], len(list.Items))
	for i := range list.Items {
		scope := &list.Items[i]
		own := all.Of(scope.ID())
		router, known := routerOf(own)
		if !known {
			return c.Scopes(ctx, activeOnly), nil
		}
		scope.Router, options[scope.ID()] = router, own
	}
	return list, options
}

// routerOf is the first router every client of a scope gets; the zero Addr: none.
// It is not known from a list that is not whole, and not where several values may
// be meant.
func routerOf(options windhcp.List[windhcp.Option]) (router netip.Addr, known bool) {
	if !options.Complete() {
		return router, false
	}
	found := false
	for _, o := range options.Items {
		if o.Code != optionRouter || !o.ForAll() {
			continue
		}
		if found || !o.ClassesTold {
			return router, false
		}
		found = true
		if len(o.Values) == 0 {
			continue
		}
		addr, err := parseIPv4(o.Values[0])
		if err != nil {
			return router, false
		}
		if !addr.IsUnspecified() {
			router = addr
		}
	}
	return router, true
}

const (
	optionRouter    = 3
	optionLeaseTime = 51
)

// takeApart reads {"10.8.4.0":[...]}, which may stand below scope_options. An
// entry that says it is another scope's spoils the list it is in.
func takeApart[T any](body []byte, identity []string, decode func(*record) T) ByScope[T] {
	fields, err := object(body)
	if err != nil {
		return ByScope[T]{err: err}
	}
	if inner, ok := fields["scope_options"]; ok {
		if fields, err = object(trim(inner)); err != nil {
			return ByScope[T]{err: err}
		}
	}
	out := ByScope[T]{lists: make(map[netip.Addr]windhcp.List[T], len(fields))}
	for key, raw := range fields {
		scope, err := parseIPv4(key)
		if err != nil {
			return ByScope[T]{err: fmt.Errorf("the answer is no object by scope: %w", err)}
		}
		out.lists[scope] = decodeList(trim(raw), identity, within(scope, decode))
	}
	return out
}

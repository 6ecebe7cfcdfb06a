// Package netboxio reads what the mirror of Windows DHCP servers has to know of
// a NetBox as values of package state, carries its writes out, and lists what
// it needs there. It must not decide what to change: plans do.
package netboxio

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Read reads all that the mirror needs to know of a NetBox, except its
// addresses: see ReadAddresses. Only IPv4 is read. A list that contradicts
// itself, or holds a row that cannot be read, is an error: a mirror that
// misses a row would make it anew.
func Read(ctx context.Context, c *netbox.Client) (*state.State, error) {
	version, err := c.Version(ctx)
	if err != nil {
		return nil, fmt.Errorf("read NetBox: %w", err)
	}
	s := &state.State{Version: version.String(), SingleAddressRanges: version.AtLeast(4, 6), Tags: make(map[string]int64), Roles: make(map[string]int64)}
	group, ctx := errgroup.WithContext(ctx)
	ipv4 := url.Values{"family": {"4"}}
	group.Go(func() (err error) {
		s.VRFs, err = rowsOf(ctx, c, netbox.VRFs, nil, (*vrfRow).object, nil)
		return err
	})
	group.Go(func() (err error) {
		s.Prefixes, err = rowsOf(ctx, c, netbox.Prefixes, ipv4, (*prefixRow).object, nil)
		return err
	})
	group.Go(func() (err error) {
		s.Ranges, err = rowsOf(ctx, c, netbox.Ranges, ipv4, (*rangeRow).object, nil)
		return err
	})
	group.Go(func() (err error) {
		s.Contexts, err = rowsOf(ctx, c, netbox.Contexts, url.Values{"name__isw": {state.ContextName}}, (*contextRow).object, nil)
		s.Contexts = slices.DeleteFunc(s.Contexts, func(x state.Context) bool { return !strings.HasPrefix(x.Name, state.ContextName) })
		return err
	})
	group.Go(func() (err error) { s.Tagged, err = slugs(ctx, c, netbox.Tags, nil, s.Tags); return err })
	group.Go(func() error { _, err := slugs(ctx, c, netbox.Roles, nil, s.Roles); return err })
	group.Go(func() (err error) { s.Statuses, err = c.Choices(ctx, netbox.Addresses, "status"); return err })
	group.Go(func() (err error) { s.Plugins, err = c.Plugins(ctx); return err })
	group.Go(func() (err error) { s.Fields, err = customFieldsByKind(ctx, c); return err })
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("read NetBox: %w", err)
	}
	if c.Dated() {
		s.Date = time.Now().Add(c.Skew()).UTC().Truncate(time.Second)
	}
	return s, nil
}

// ReadAddresses reads the addresses whose host lies in any of subnets,
// with any mask and in any VRF, ordered by id and each once. progress, if not
// nil, is told after every page how many rows have come and how many there
// are; the total may still grow.
func ReadAddresses(ctx context.Context, c *netbox.Client, subnets []netip.Prefix, progress func(done, total int)) ([]state.Address, error) {
	subnets = outermost(subnets)
	var all []state.Address
	for batch := range slices.Chunk(subnets, parentsAtATime) {
		query := url.Values{}
		for _, p := range batch {
			query.Add("parent", p.String())
		}
		before := len(all)
		report := func(done, total int) {
			if progress != nil {
				progress(before+done, before+total)
			}
		}
		got, err := rowsOf(ctx, c, netbox.Addresses, query, (*addressRow).object, report)
		if err != nil {
			return nil, fmt.Errorf("read addresses: %w", err)
		}
		for _, a := range got {
			if !slices.ContainsFunc(batch, func(p netip.Prefix) bool { return p.Contains(a.Address.Addr()) }) {
				return nil, fmt.Errorf("read addresses: %w", netbox.Contradiction(netbox.Addresses, "%s was not asked for: the filter was ignored", a.Address))
			}
		}
		all = append(all, got...)
	}
	return byID(all), nil
}

// ReadSuspects reads the IPv4 addresses, wherever they are, whose status may
// be wrong: those with a status that the mirror did not give and, if tagged is
// set, those that carry TagInvalid.
func ReadSuspects(ctx context.Context, c *netbox.Client, status string, tagged bool) ([]state.Address, error) {
	queries := []url.Values{{"family": {"4"}, "status": {status}, "cf_" + state.FieldManaged: {"null"}}}
	if tagged {
		queries = append(queries, url.Values{"family": {"4"}, "tag": {state.TagInvalid}})
	}
	var all []state.Address
	for _, query := range queries {
		got, err := rowsOf(ctx, c, netbox.Addresses, query, (*addressRow).object, nil)
		if err != nil {
			return nil, fmt.Errorf("read addresses with status %s: %w", status, err)
		}
		for _, a := range got {
			if a.Status != status && !slices.Contains(a.Tags, state.TagInvalid) {
				return nil, fmt.Errorf("read addresses with status %s: %w", status, netbox.Contradiction(netbox.Addresses, "%s was not asked for: the filter was ignored", a.Address))
			}
		}
		all = append(all, got...)
	}
	return byID(all), nil
}

// CountAddresses counts the IPv4 addresses with one of some statuses, all of which
// exist.
func CountAddresses(ctx context.Context, c *netbox.Client, statuses []string) (int64, error) {
	n, err := c.Count(ctx, netbox.Addresses, url.Values{"family": {"4"}, "status": statuses})
	if err != nil {
		return 0, fmt.Errorf("count addresses: %w", err)
	}
	return n, nil
}

// ReadManaged reads the IPv4 addresses that the mirror manages, wherever they are,
// or nothing where there are no more of them than known says by provenance.
func ReadManaged(ctx context.Context, c *netbox.Client, known map[state.Managed]int) ([]state.Address, error) {
	var all []state.Address
	for _, managed := range []state.Managed{state.Created, state.Adopted} {
		query := url.Values{"family": {"4"}, "cf_" + state.FieldManaged: {string(managed)}}
		count, err := c.Count(ctx, netbox.Addresses, query)
		if err == nil && count <= int64(known[managed]) {
			continue
		}
		var got []state.Address
		if err == nil {
			got, err = rowsOf(ctx, c, netbox.Addresses, query, (*addressRow).object, nil)
		}
		if err != nil {
			return nil, fmt.Errorf("read addresses that the mirror manages: %w", err)
		}
		for _, a := range got {
			if a.Managed != managed {
				return nil, fmt.Errorf("read addresses that the mirror manages: %w", netbox.Contradiction(netbox.Addresses, "%s was not asked for: the filter was ignored", a.Address))
			}
		}
		all = append(all, got...)
	}
	return byID(all), nil
}

// byID sorts addresses and keeps each once. One that moved from one list to
// another between two requests is in both: the newer counts.
func byID(all []state.Address) []state.Address {
	slices.SortFunc(all, func(a, b state.Address) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), b.LastUpdated.Compare(a.LastUpdated))
	})
	return slices.CompactFunc(all, func(a, b state.Address) bool { return a.ID == b.ID })
}

// outermost sorts subnets and drops those inside others.
func outermost(subnets []netip.Prefix) []netip.Prefix {
	sorted := slices.Clone(subnets)
	slices.SortFunc(sorted, func(a, b netip.Prefix) int {
		return cmp.Or(a.Masked().Addr().Compare(b.Masked().Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	var outer []netip.Prefix
	for _, p := range sorted {
		if n := len(outer); n == 0 || !outer[n-1].Contains(p.Addr()) {
			outer = append(outer, p.Masked())
		}
	}
	return outer
}

// parentsAtATime keeps the request line below gunicorn's 4094 bytes: a parent
// takes up to 28 of them, with its name and the escaped slash.
const parentsAtATime = 100

// listRow is the JSON of a row with the columns to ask for.
type listRow interface {
	Head() *netbox.RowHead
	columns() string
}

// rowsOf reads a whole list that matches query as values of this package.
func rowsOf[R any, T any, P interface {
	*R
	listRow
}](ctx context.Context, c *netbox.Client, table netbox.Table, query url.Values, object func(P) (T, error), progress func(done, total int)) ([]T, error) {
	var list []T
	query = withFields(query, P(new(R)).columns())
	err := c.ListWithProgress(ctx, table, query, progress, func(raw json.RawMessage) (int64, error) {
		row := P(new(R))
		err := json.Unmarshal(raw, row)
		if err == nil && row.Head().ID <= 0 {
			err = errors.New("it has no id")
		}
		var value T
		if err == nil {
			value, err = object(row)
		}
		if err != nil {
			return 0, fmt.Errorf("read %s %d: %w", table.Noun(), row.Head().ID, err)
		}
		list = append(list, value)
		return row.Head().ID, nil
	})
	return list, err
}

// slugs reads the ids of a list by their slugs, and how many objects carry
// TagInvalid if that is among them.
func slugs(ctx context.Context, c *netbox.Client, table netbox.Table, query url.Values, into map[string]int64) (invalid int, err error) {
	err = c.List(ctx, table, withFields(query, "id,slug,tagged_items"), func(raw json.RawMessage) (int64, error) {
		var row struct {
			ID     int64  `json:"id"`
			Slug   string `json:"slug"`
			Tagged int    `json:"tagged_items"`
		}
		if err := json.Unmarshal(raw, &row); err != nil {
			return 0, fmt.Errorf("read %s %.60s: %w", table.Noun(), raw, err)
		}
		into[row.Slug] = row.ID
		if row.Slug == state.TagInvalid {
			invalid = row.Tagged
		}
		return row.ID, nil
	})
	return invalid, err
}

// customFieldsByKind lists the custom fields of addresses, ranges and prefixes. A
// token that may not see definitions learns them from a row of each kind,
// which shows them all.
func customFieldsByKind(ctx context.Context, c *netbox.Client) (map[state.Kind][]string, error) {
	fields := make(map[state.Kind][]string)
	err := c.List(ctx, netbox.CustomFields, url.Values{"fields": {"id,name,object_types,status"}}, func(raw json.RawMessage) (int64, error) {
		var row struct {
			netbox.RowHead
			Name        string        `json:"name"`
			Status      netbox.Choice `json:"status"`
			ObjectTypes []string      `json:"object_types"`
		}
		if err := json.Unmarshal(raw, &row); err != nil {
			return 0, fmt.Errorf("read custom field %.60s: %w", raw, err)
		}
		// From 4.7 on a field may still be waiting for a job.
		if row.Status == "" || row.Status == "active" {
			for _, kind := range row.ObjectTypes {
				fields[state.Kind(kind)] = append(fields[state.Kind(kind)], row.Name)
			}
		}
		return row.ID, nil
	})
	if netbox.KindOf(err) != netbox.Forbidden {
		return fields, err
	}
	for _, table := range []netbox.Table{netbox.Addresses, netbox.Ranges, netbox.Prefixes} {
		page, pageErr := c.FirstPage(ctx, table, url.Values{"limit": {"1"}, "fields": {"id,custom_fields"}})
		if pageErr != nil {
			return nil, pageErr
		}
		if len(page) == 0 {
			return nil, err // nothing to learn from
		}
		var row struct {
			CustomFields map[string]any `json:"custom_fields"`
		}
		if json.Unmarshal(page[0], &row) != nil {
			return nil, err
		}
		fields[state.Kind(table.Model())] = slices.Sorted(maps.Keys(row.CustomFields))
	}
	return fields, nil
}

// withFields is query with the columns to ask for.
func withFields(query url.Values, columns string) url.Values {
	q := url.Values{}
	maps.Copy(q, query)
	q.Set("fields", columns)
	return q
}

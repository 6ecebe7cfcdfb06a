package netbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// CheckMirror compares a NetBox with what the mirror needs and says what is
// missing, and how to put it right. It changes nothing. No findings: all is
// well.
func CheckMirror(ctx context.Context, c *Client, need MirrorRequirements) []Finding {
	k := &mirrorChecker{checker: checker{client: c}, need: need}
	if !k.reach(ctx) {
		return k.findings
	}
	k.release(ctx)
	k.plugin(ctx)
	k.token(ctx)
	k.rights(ctx)
	k.statuses(ctx)
	k.mirrorFields(ctx)
	k.mirrorTags(ctx)
	k.mirrorObjects(ctx)
	k.mirrorContexts(ctx)
	k.pages()
	return k.findings
}

type mirrorChecker struct {
	checker
	need MirrorRequirements
}

const byBootstrap = "create it (the bootstrap command does)"

func (k *mirrorChecker) release(ctx context.Context) {
	if version, err := k.client.Version(ctx); err == nil && !version.AtLeast(4, 5) {
		k.add(Failure, "NetBox "+k.client.URL(), "version "+version.String()+" is too old for the mirror", "upgrade to NetBox 4.5 or newer")
	}
}

func (k *mirrorChecker) plugin(ctx context.Context) {
	plugins, err := k.client.Plugins(ctx)
	if k.failed("plugins", err) || !slices.Contains(plugins, state.Plugin) {
		return
	}
	severity := Failure
	if k.need.PluginAllowed {
		severity = Warning
	}
	k.add(severity, "plugin "+state.Plugin, "it mirrors Windows DHCP servers too: both would undo each other's changes",
		"take its servers over with the migrate command, then remove it from PLUGINS")
}

// right is a permission and what it is for.
type right struct {
	table    endpoint
	action   string // view, add, change or delete
	severity Severity
	lost     string // without it
}

// rights are those of netbox-api.md 1.14 that a run makes use of.
func (m MirrorRequirements) rights() []right {
	var all []right
	view := func(lost string, tables ...endpoint) {
		for _, e := range tables {
			all = append(all, right{e, "view", Failure, lost})
		}
	}
	view("nothing can be mirrored", vrfs, prefixes, ranges, addresses, contexts, tags, roles)
	for _, e := range []endpoint{ranges, contexts} {
		all = append(all, right{e, "add", Failure, "import creates nothing"}, right{e, "change", Failure, "changes on the servers do not show"})
	}
	all = append(all, right{ranges, "delete", Warning, "scopes deleted on a server stay"},
		right{prefixes, "add", Warning, "import creates no prefixes"}, right{prefixes, "change", Warning, "prefixes do not show their scopes"},
		right{journal, "add", Warning, "nothing is written to the journal"})
	if m.SyncsAddresses {
		all = append(all, right{addresses, "add", Failure, "new leases and reservations do not show"}, right{addresses, "change", Failure, "leases and reservations are not kept up to date"},
			right{addresses, "delete", Failure, "ended leases stay"})
	}
	return all
}

// rights tries the permissions without writing anything: OPTIONS tells about
// adding and changing, and deleting object 0, which never exists, is refused
// in another way to those who may delete.
func (k *mirrorChecker) rights(ctx context.Context) {
	type rights struct{ add, change bool }
	known := make(map[endpoint]rights)
	for _, r := range k.need.rights() {
		object := r.action + " on " + r.table.model()
		var allowed bool
		var err error
		switch r.action {
		case "view":
			_, err = k.client.FirstPage(ctx, r.table, url.Values{"limit": {"1"}, "fields": {"id"}})
			allowed = err == nil
		case "delete":
			allowed, err = k.client.MayDelete(ctx, r.table)
		default:
			may, asked := known[r.table]
			if !asked {
				may.add, may.change, err = k.client.Rights(ctx, r.table)
				if err == nil {
					known[r.table] = may
				}
			}
			allowed = r.action == "add" && may.add || r.action == "change" && may.change
		}
		switch {
		case allowed:
		case err != nil && kindOf(err) != Forbidden:
			k.failed(object, err)
		default:
			fix := "give the token's user the object permission " + object
			if r.action != "view" {
				fix += ", and set the token write enabled"
			}
			k.add(r.severity, object, "the token lacks this permission: "+r.lost, fix)
		}
	}
}

func (k *mirrorChecker) statuses(ctx context.Context) {
	if !k.need.SyncsAddresses {
		return
	}
	lease, reservation := k.need.LeaseStatus, k.need.ReservationStatus
	if lease == reservation {
		k.add(Failure, "status "+lease, "it stands for leases and for reservations: they cannot be told apart", "set sync.statuses.lease and sync.statuses.reservation to different values")
	}
	known, err := k.client.Choices(ctx, addresses, "status")
	if k.failed("statuses of IP addresses", err) {
		return
	}
	if known == nil {
		k.add(Notice, "statuses of IP addresses", "they cannot be checked: the token may not add IP addresses", "")
		return
	}
	for setting, value := range map[string]string{"sync.statuses.lease": lease, "sync.statuses.reservation": reservation} {
		if !slices.Contains(known, value) {
			k.add(Failure, "status "+value, "IP addresses have no such status", "set "+setting+" to one of "+strings.Join(known, ", ")+", or add it to FIELD_CHOICES")
		}
	}
}

func (k *mirrorChecker) mirrorFields(ctx context.Context) {
	for _, need := range k.need.fields() {
		object := "custom field " + need.Name
		info, err := fieldNamed(ctx, k.client, need.Name)
		if kindOf(err) == Forbidden {
			k.add(Notice, "custom fields", "they cannot be checked: the token may not see their definitions", "allow view on "+customFields.model()+" to have them checked")
			return
		}
		switch {
		case k.failed(object, err):
		case info == nil:
			k.add(need.severity(), object, "it does not exist", byBootstrap)
		case !slices.Contains(need.Types, string(info.Type)):
			k.add(Failure, object, unusableType(string(info.Type)), "use a field of type "+strings.Join(need.Types, " or ")+": "+fieldConflict)
		case !slices.Contains(info.ObjectTypes, need.ObjectType):
			k.add(need.severity(), object, "it is not on "+need.ObjectType, "add the object type to the field (the bootstrap command does)")
		}
	}
}

// severity tells what the mirror cannot do without from what only shows.
func (f FieldNeed) severity() Severity {
	switch f.Name {
	case state.FieldLeaseHostname, state.FieldLeaseActive, state.FieldLeaseExpires, state.FieldScopes, state.FieldOtherSources:
		return Warning
	}
	return Failure
}

func (k *mirrorChecker) mirrorTags(ctx context.Context) {
	list, err := tagList(ctx, k.client)
	if err != nil {
		return // said among the rights
	}
	for _, need := range k.need.tags() {
		i := slices.IndexFunc(list, func(t tagInfo) bool { return t.Slug == need.slug })
		switch {
		case i < 0:
			k.add(Failure, "tag "+need.slug, "it does not exist", byBootstrap)
		case len(list[i].missing(need.kinds)) > 0:
			k.add(Failure, "tag "+need.slug, "it may not be put on "+strings.Join(list[i].missing(need.kinds), ", "), "add that to the tag's object types (the bootstrap command does)")
		}
	}
}

// mirrorObjects looks for the role; saved filters and the like only help
// people.
func (k *mirrorChecker) mirrorObjects(ctx context.Context) {
	for _, need := range k.need.named() {
		if need.table != roles {
			continue
		}
		if row, err := namedRow(ctx, k.client, need.table, need.key, need.name()); err == nil && row == nil {
			k.add(Failure, need.table.noun()+" "+need.name(), "it does not exist: scopes cannot be told from other ranges", byBootstrap)
		}
	}
}

// mirrorContexts looks for contexts of the mirror that devices would render.
func (k *mirrorChecker) mirrorContexts(ctx context.Context) {
	found := make(map[string]bool)
	err := k.client.counted(ctx, contexts, url.Values{"name__isw": {state.ContextName}, "fields": {"id,name,tags"}}, func(raw json.RawMessage) (int64, error) {
		row, err := decodeShowing(raw)
		if err != nil {
			return 0, err
		}
		name, _ := decodeAny(row.fields["name"]).(string)
		if strings.HasPrefix(name, state.ContextName) {
			found[name] = true
			if !slices.Contains(row.tagSlugs(), state.TagData) {
				k.add(Warning, "config context "+clean(name), "it is not limited to the tag "+state.TagData+": devices have its data in their config context", "assign it to that tag")
			}
		}
		return row.id(), nil
	})
	if err != nil {
		return // said among the rights
	}
	for _, need := range k.need.Contexts {
		if !found[need.Name] {
			k.add(Warning, fmt.Sprintf("config context %s", need.Name), "it does not exist", byBootstrap)
		}
	}
}

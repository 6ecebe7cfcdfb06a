package prepare

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// Tag needs a tag that may be put on objects of some lists.
type Tag struct {
	// Either Name is the tag's name or slug, compared without case, or Slug is
	// its very slug, for programs that find the tag by nothing else.
	Name, Slug  string
	Description string
	On          []netbox.Table
	// Chosen is set where settings name the tag, so that another one can be
	// named.
	Chosen bool
}

// label is the tag for people.
func (n Tag) label() string { return cmp.Or(n.Name, n.Slug) }

func (n Tag) check(ctx context.Context, r *run) {
	if r.denied[netbox.Tags] {
		return
	}
	if r.tags == nil {
		var err error
		if r.tags, err = tagList(ctx, r.client); r.failed("tags", err) {
			r.denied[netbox.Tags] = true
			return
		}
	}
	tag, ok := n.among(r.tags)
	switch missing := n.missing(tag); {
	case !ok && n.Chosen:
		r.add(Failure, "tag "+n.label(), "it does not exist", byBootstrap+" or set the name of another one")
	case !ok:
		r.add(Failure, "tag "+n.label(), "it does not exist", byBootstrap)
	case len(missing) > 0:
		r.add(Failure, "tag "+n.label(), "it may not be put on "+nouns(missing), "add "+strings.Join(models(missing), ", ")+" to the tag's object types (the bootstrap command does)")
	}
}

func (n Tag) plan(ctx context.Context, p *planner) error {
	if p.tags == nil {
		var err error
		if p.tags, err = tagList(ctx, p.client); err != nil {
			return err
		}
	}
	tag, ok := n.among(p.tags)
	if !ok {
		p.Steps = append(p.Steps, Step{
			Text: "create tag " + n.label(), table: netbox.Tags, body: netbox.TagBody(n.label(), cmp.Or(n.Slug, slug(n.Name)), n.Description),
			exists: func(ctx context.Context, c *netbox.Client) (bool, error) {
				list, err := tagList(ctx, c)
				_, ok := n.among(list)
				return ok, err
			},
		})
		return nil
	}
	if missing := n.missing(tag); len(missing) > 0 {
		p.change("allow tag "+tag.Name+" on "+nouns(missing), netbox.Tags, tag.ID, netbox.TagTypesBody(slices.Concat(tag.ObjectTypes, models(missing))))
	}
	return nil
}

func (n Tag) among(list []tagInfo) (tagInfo, bool) {
	i := slices.IndexFunc(list, func(t tagInfo) bool {
		if n.Slug != "" {
			return t.Slug == n.Slug
		}
		return strings.EqualFold(t.Name, n.Name) || strings.EqualFold(t.Slug, n.Name)
	})
	if i < 0 {
		return tagInfo{}, false
	}
	return list[i], true
}

// missing lists what a tag may not be put on and should.
func (n Tag) missing(t tagInfo) (missing []netbox.Table) {
	for _, table := range n.On {
		if len(t.ObjectTypes) > 0 && !slices.Contains(t.ObjectTypes, table.Model()) {
			missing = append(missing, table)
		}
	}
	return missing
}

func models(tables []netbox.Table) []string {
	var list []string
	for _, table := range tables {
		list = append(list, table.Model())
	}
	return list
}

func nouns(tables []netbox.Table) string {
	var list []string
	for _, table := range tables {
		list = append(list, table.Nouns())
	}
	return strings.Join(list, ", ")
}

// slug makes a tag's slug as NetBox's web pages do.
func slug(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_':
			return r
		}
		return '-'
	}, strings.ToLower(name)), "-")
}

// tagInfo is a tag with the types of objects it may be put on; none: all.
type tagInfo struct {
	netbox.RowHead
	Name        string   `json:"name"`
	Slug        string   `json:"slug"`
	ObjectTypes []string `json:"object_types"`
}

// tagList reads all tags; never nil without an error.
func tagList(ctx context.Context, c *netbox.Client) ([]tagInfo, error) {
	list := []tagInfo{}
	err := c.ListUnchecked(ctx, netbox.Tags, url.Values{"fields": {"id,name,slug,object_types"}}, func(raw json.RawMessage) (int64, error) {
		var tag tagInfo
		if json.Unmarshal(raw, &tag) == nil {
			list = append(list, tag)
		}
		return tag.ID, nil
	})
	return list, err
}

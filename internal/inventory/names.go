package inventory

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/nearest"
)

// names finds the objects of one kind by name.
type names struct {
	kind string
	ids  map[string]int64
}

func newNames(kind string) *names { return &names{kind: kind, ids: make(map[string]int64)} }

// declare notes that the object at path has a name, which must be new.
func (b *builder) declare(n *names, path, name string, id int64) {
	switch {
	case name == "":
		b.report.Addf(path+".name", "want a name")
	case n.ids[name] != 0:
		b.report.Addf(path+".name", "%s %.60q is there already", n.kind, name)
	default:
		n.ids[name] = id
	}
}

// find returns the id of the object that the key at path names; 0 for "".
func (b *builder) find(n *names, path, name string) int64 {
	if name == "" {
		return 0
	}
	id, ok := n.ids[name]
	if !ok {
		hint := ""
		if near := nearest.Word(name, slices.Sorted(maps.Keys(n.ids))); near != "" {
			hint = "; did you mean " + near + "?"
		}
		b.report.Addf(path, "no %s %.60q in this file%s", n.kind, name, hint)
	}
	return id
}

func (b *builder) findAll(n *names, path string, list []string) []int64 {
	var ids []int64
	for i, name := range list {
		if id := b.find(n, fmt.Sprintf("%s[%d]", path, i), name); id != 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

func (b *builder) tags() {
	for i, t := range b.file.Tags {
		path := fmt.Sprintf("tags[%d]", i)
		if t.Name == "" {
			b.report.Addf(path+".name", "want a name")
			continue
		}
		if t.Slug == "" {
			t.Slug = slug(t.Name)
		}
		if b.tag[strings.ToLower(t.Name)] != 0 || b.tag[strings.ToLower(t.Slug)] != 0 {
			b.report.Addf(path+".name", "tag %.60q is there already", t.Name)
			continue
		}
		b.addTag(t)
	}
}

func (b *builder) addTag(t tag) int64 {
	id := int64(len(b.out.Tags) + 1)
	b.out.Tags[id] = &ipam.Tag{ID: id, Name: t.Name, Slug: t.Slug}
	b.tag[strings.ToLower(t.Name)] = id
	b.tag[strings.ToLower(t.Slug)] = id
	return id
}

// tagIDs returns the ids of tags by name or slug. Unlike in NetBox a tag comes
// into being where it is used first.
func (b *builder) tagIDs(path string, list []string) []int64 {
	var ids []int64
	for i, name := range list {
		if strings.TrimSpace(name) == "" {
			b.report.Addf(fmt.Sprintf("%s[%d]", path, i), "want the name of a tag")
			continue
		}
		id := b.tag[strings.ToLower(name)]
		if id == 0 {
			id = b.addTag(tag{Name: name, Slug: slug(name)})
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// slug is what NetBox proposes for a name: lower case, words joined by hyphens.
func slug(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_'
	})
	return strings.Join(words, "-")
}

// status returns the status at path, active where it is not given. NetBox
// takes statuses of one's own; one that is nearly a usual one is a mistake.
func (b *builder) status(path, status string, usual ...string) string {
	switch near := nearest.Word(status, usual); {
	case status == "":
		return "active"
	case near != "" && near != status:
		b.report.Addf(path, "%.60q is no status of NetBox; did you mean %s?", status, near)
	}
	return status
}

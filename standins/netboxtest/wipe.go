package netboxtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
)

type madeObject struct {
	path string
	id   int64
}

// Wipe deletes what the seed made, newest first, neighbours of one type together where NetBox lets it. What is gone
// already is passed over.
func (s *Seeded) Wipe(t testing.TB) {
	t.Helper()
	left := slices.Clone(s.made)
	slices.Reverse(left)
	for len(left) > 0 {
		path, same := left[0].path, 0
		var ids []object
		for same < len(left) && left[same].path == path {
			ids = append(ids, object{"id": left[same].id})
			same++
		}
		if status, _ := s.admin.do(t, http.MethodDelete, path+"/", ids); status != http.StatusNoContent {
			s.wipeEach(t, left[:same])
		}
		left = left[same:]
	}
}

func (s *Seeded) wipeEach(t testing.TB, made []madeObject) {
	t.Helper()
	for _, o := range made {
		status, body := s.admin.do(t, http.MethodDelete, fmt.Sprintf("%s/%d/", o.path, o.id), nil)
		if status != http.StatusNoContent && status != http.StatusNotFound {
			t.Errorf("delete %s %d: %d %s", o.path, o.id, status, body)
		}
	}
}

// Wipe deletes every object of the types Seed makes. For disposable instances only.
func Wipe(t testing.TB, baseURL, token string) {
	t.Helper()
	WipeBut(t, baseURL, token, nil)
}

// WipeBut is Wipe that leaves the objects of kept, by list and id.
func WipeBut(t testing.TB, baseURL, token string, kept map[string][]int64) {
	t.Helper()
	a := newAdmin(baseURL, token)
	for _, path := range wipeOrder() {
		a.wipe(t, path, kept[path])
	}
}

// Definitions are the ids of custom fields and of what else describes objects and is
// none that a test is about, by list. NetBox takes seconds to make and to delete them.
func Definitions(t testing.TB, baseURL, token string) map[string][]int64 {
	t.Helper()
	a, ids := newAdmin(baseURL, token), make(map[string][]int64)
	for _, path := range []string{savedFiltersPath, customLinksPath, tableConfigsPath, customFieldsPath, choiceSetsPath} {
		ids[path], _ = a.ids(t, path)
	}
	return ids
}

func wipeOrder() []string {
	return []string{journalPath, savedFiltersPath, customLinksPath, tableConfigsPath, contextsPath, machinesPath, clustersPath, clusterTypesPath, cablesPath, devicesPath, typesPath, "dcim/manufacturers", rolesPath, platformsPath,
		macsPath, addressesPath, rangesPath, prefixesPath, vlansPath, ipRolesPath, vrfsPath, locationsPath, sitesPath, regionsPath, siteGroupsPath, tenantsPath,
		"tenancy/tenant-groups", customFieldsPath, choiceSetsPath, "extras/tags"}
}

const wipedAtOnce = 100

// wipe deletes all rows of a type but some, a page at a time, or one by one if the page
// is refused because rows depend on each other.
func (a *admin) wipe(t testing.TB, path string, kept []int64) {
	t.Helper()
	for more := true; more; {
		var ids []int64
		ids, more = a.ids(t, path)
		ids = slices.DeleteFunc(ids, func(id int64) bool { return slices.Contains(kept, id) })
		for some := range slices.Chunk(ids, wipedAtOnce) {
			a.deleteRows(t, path, some)
		}
	}
}

func (a *admin) deleteRows(t testing.TB, path string, ids []int64) {
	t.Helper()
	rows := make([]object, len(ids))
	for i, id := range ids {
		rows[i] = object{"id": id}
	}
	if status, _ := a.do(t, http.MethodDelete, path+"/", rows); status == http.StatusNoContent {
		return
	}
	for _, id := range ids {
		status, body := a.do(t, http.MethodDelete, fmt.Sprintf("%s/%d/", path, id), nil)
		if status != http.StatusNoContent && status != http.StatusNotFound {
			t.Fatalf("delete %s %d: %d %s", path, id, status, body)
		}
	}
}

// ids are those of the first rows of a list; more: it has others. A version without
// the list has none.
func (a *admin) ids(t testing.TB, path string) (ids []int64, more bool) {
	t.Helper()
	status, body := a.do(t, http.MethodGet, path+"/?fields=id&limit=1000", nil)
	if status == http.StatusNotFound {
		return nil, false
	}
	var page struct {
		Count   int
		Results []struct{ ID int64 }
	}
	if err := json.Unmarshal(body, &page); status != http.StatusOK || err != nil {
		t.Fatalf("GET %s: %d %s", path, status, body)
	}
	for _, r := range page.Results {
		ids = append(ids, r.ID)
	}
	return ids, page.Count > len(ids)
}

package netboxtest

import (
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
	a := newAdmin(baseURL, token)
	for _, path := range wipeOrder() {
		a.wipe(t, path)
	}
}

func wipeOrder() []string {
	return []string{journalPath, savedFiltersPath, customLinksPath, tableConfigsPath, contextsPath, machinesPath, clustersPath, clusterTypesPath, devicesPath, typesPath, "dcim/manufacturers", rolesPath, platformsPath,
		macsPath, addressesPath, rangesPath, prefixesPath, vlansPath, ipRolesPath, vrfsPath, locationsPath, sitesPath, regionsPath, siteGroupsPath, tenantsPath,
		"tenancy/tenant-groups", customFieldsPath, choiceSetsPath, "extras/tags"}
}

// wipe deletes all rows of a type, a page at a time, or one by one if the page is refused because rows depend on each
// other.
func (a *admin) wipe(t testing.TB, path string) {
	t.Helper()
	if status, _ := a.do(t, http.MethodGet, path+"/?fields=id&limit=1", nil); status == http.StatusNotFound {
		return // of a later version
	}
	for {
		var page struct {
			Results []struct {
				ID int64 `json:"id"`
			} `json:"results"`
		}
		a.get(t, path+"/?fields=id&limit=100", &page)
		if len(page.Results) == 0 {
			return
		}
		if status, _ := a.do(t, http.MethodDelete, path+"/", page.Results); status == http.StatusNoContent {
			continue
		}
		for _, r := range page.Results {
			status, body := a.do(t, http.MethodDelete, fmt.Sprintf("%s/%d/", path, r.ID), nil)
			if status != http.StatusNoContent && status != http.StatusNotFound {
				t.Fatalf("delete %s %d: %d %s", path, r.ID, status, body)
			}
		}
	}
}

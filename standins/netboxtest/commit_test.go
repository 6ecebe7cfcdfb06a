package netboxtest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAWriteIsCommittedAfterItsClientHasGone(t *testing.T) {
	s := New(t, Config{})
	s.HoldCommits()
	failed := make(chan error, 1)
	go func() {
		client := http.Client{Timeout: 50 * time.Millisecond}
		req, err := http.NewRequest(http.MethodPost, s.URL()+"/api/ipam/vrfs/", strings.NewReader(`{"name":"v"}`))
		if err != nil {
			failed <- err
			return
		}
		req.Header.Set("Authorization", "Token "+s.TokenV1())
		req.Header.Set("Content-Type", "application/json")
		_, err = client.Do(req)
		failed <- err
	}()
	s.AwaitHeld(1)
	if err := <-failed; err == nil {
		t.Fatal("a held write was answered")
	}
	if n := s.Count(vrfsPath); n != 0 {
		t.Errorf("%d VRFs before the commit", n)
	}
	s.ReleaseCommits()
	s.AwaitIdle()
	if n := s.Count(vrfsPath); n != 1 {
		t.Errorf("%d VRFs after the commit", n)
	}
}

func TestALateCommitShowsOldIdsAndTimes(t *testing.T) {
	s := New(t, Config{})
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s.SetClock(func() time.Time { return now })
	old := s.Add(t, addressesPath, map[string]any{"address": "10.0.0.1/24"})
	s.HoldCommits()
	answered := make(chan string, 1)
	go func() {
		_, body, err := try(t, s, http.MethodPost, "/api/ipam/ip-addresses/", `{"address":"10.0.0.2/24"}`)
		answered <- fmt.Sprint(body, err)
	}()
	s.AwaitHeld(1)
	s.SetClock(func() time.Time { return now.Add(time.Minute) })
	newer := s.Add(t, addressesPath, map[string]any{"address": "10.0.0.3/24"})
	if newer != old+2 {
		t.Errorf("ids %d and %d: the held write has no id between", old, newer)
	}
	if s.Get(addressesPath, old+1) != nil {
		t.Error("the held write is visible")
	}
	s.ReleaseCommits()
	<-answered
	if got := s.Get(addressesPath, old+1)["last_updated"]; got != "2026-03-01T12:00:00Z" {
		t.Errorf("last_updated %v", got)
	}
}

func TestTwoOverlappingChangesLoseOne(t *testing.T) {
	s := New(t, Config{})
	id := s.Add(t, vrfsPath, map[string]any{"name": "v"})
	s.HoldCommits()
	done := make(chan error, 1)
	go func() {
		_, _, err := try(t, s, http.MethodPatch, fmt.Sprintf("/api/ipam/vrfs/%d/", id), `{"description":"one"}`)
		done <- err
	}()
	s.AwaitHeld(1)
	s.Edit(t, vrfsPath, id, map[string]any{"comments": "two"})
	s.ReleaseCommits()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	got := s.Get(vrfsPath, id)
	if got["description"] != "one" || got["comments"] != "" {
		t.Errorf("description %q, comments %q: the later commit saves every column", got["description"], got["comments"])
	}
}

func TestConcurrentCreatesOfOneAddressMakeOne(t *testing.T) {
	s := New(t, Config{})
	statuses := make(chan int, 16)
	for range cap(statuses) {
		go func() {
			resp, _, err := try(t, s, http.MethodPost, "/api/ipam/ip-addresses/", `{"address":"10.0.0.1/24"}`)
			if err != nil {
				t.Error(err)
				statuses <- 0
				return
			}
			statuses <- resp.StatusCode
		}()
	}
	made := 0
	for range cap(statuses) {
		if <-statuses == http.StatusCreated {
			made++
		}
	}
	if made != 1 || s.Count(addressesPath) != 1 {
		t.Errorf("%d made, %d there", made, s.Count(addressesPath))
	}
}

func TestANewFieldWithADefaultMayWaitForAJob(t *testing.T) {
	s := New(t, Config{FieldJobs: true})
	vrf := s.Add(t, vrfsPath, map[string]any{"name": "v"})
	field := s.Add(t, customFieldsPath, map[string]any{"name": "late", "type": "boolean", "default": false, "object_types": []string{"ipam.vrf"}})
	if got := s.Get(vrfsPath, vrf)["custom_fields"]; len(got.(map[string]any)) != 0 {
		t.Errorf("before the job: %v", got)
	}
	if got := s.Get(customFieldsPath, field)["status"]; fmt.Sprint(got) != "map[label:Provisioning value:provisioning]" {
		t.Errorf("before the job: status %v", got)
	}
	resp, body, err := try(t, s, http.MethodPatch, fmt.Sprintf("/api/ipam/vrfs/%d/", vrf), `{"custom_fields":{"late":true}}`)
	if err != nil || resp.StatusCode != http.StatusBadRequest {
		t.Errorf("before the job a write is answered %v %s", resp, body)
	}
	s.RunJobs()
	resp, body, err = try(t, s, http.MethodPatch, fmt.Sprintf("/api/ipam/vrfs/%d/", vrf), `{"custom_fields":{"late":true}}`)
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(body, `"late":true`) {
		t.Errorf("after the job: %v %s", resp, body)
	}
}

func TestBackgroundWritesRunAsJobs(t *testing.T) {
	s := New(t, Config{})
	resp, _, err := try(t, s, http.MethodPost, "/api/ipam/vrfs/?background=true", `[{"name":"v"}]`)
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("without a worker: %v %v", resp, err)
	}
	s.Configure(func(c *Config) { c.JobWorkers = true })
	resp, _, err = try(t, s, http.MethodPost, "/api/ipam/vrfs/?background=true", `[{"name":"v"}]`)
	if err != nil || resp.StatusCode != http.StatusAccepted || s.Count(vrfsPath) != 1 {
		t.Fatalf("with a worker: %v %v", resp, err)
	}
	if _, body, err := try(t, s, http.MethodGet, strings.TrimPrefix(resp.Header.Get("Location"), s.URL()), ""); err != nil || !strings.Contains(body, `"status_code":201`) {
		t.Errorf("job %s %v", body, err)
	}
}

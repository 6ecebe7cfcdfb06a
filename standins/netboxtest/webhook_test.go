package netboxtest

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// receiver keeps the bodies of webhooks and checks their signature.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []map[string]any
}

func newReceiver(t *testing.T, secret string) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Errorf("read webhook: %v", err)
		}
		mac := hmac.New(sha512.New, []byte(secret))
		mac.Write(body)
		if got := req.Header.Get("X-Hook-Signature"); got != hex.EncodeToString(mac.Sum(nil)) {
			t.Errorf("signature %q", got)
		}
		var v map[string]any
		if err := json.Unmarshal(body, &v); err != nil {
			t.Errorf("webhook is not JSON: %v", err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.bodies = append(r.bodies, v)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for _, b := range r.bodies {
		names = append(names, fmt.Sprint(b["event"], " ", b["data"].(map[string]any)["name"]))
	}
	return names
}

func TestWebhooksAreSignedAndSentInOrder(t *testing.T) {
	s, r := New(t, Config{}), newReceiver(t, "secret")
	s.AddWebhook(Webhook{URL: r.URL, Secret: "secret", Objects: []string{"ipam.vrf"}})
	id := s.Add(t, vrfsPath, map[string]any{"name": "v"})
	s.Edit(t, vrfsPath, id, map[string]any{"name": "w"})
	s.Edit(t, vrfsPath, id, map[string]any{"name": "w"})
	s.Add(t, sitesPath, map[string]any{"name": "s", "slug": "s"})
	s.Delete(t, vrfsPath, id)
	s.AwaitWebhooks()
	if diff := cmp.Diff([]string{"created v", "updated w", "updated w", "deleted w"}, r.names()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if url := r.bodies[0]["data"].(map[string]any)["url"]; url != fmt.Sprintf("/api/ipam/vrfs/%d/", id) {
		t.Errorf("url %v is not relative", url)
	}
}

func TestWebhooksCanBeLostRepeatedAndReordered(t *testing.T) {
	s, r := New(t, Config{}), newReceiver(t, "x")
	s.AddWebhook(Webhook{URL: r.URL, Secret: "x"})
	s.HoldWebhooks()
	for _, name := range []string{"a", "b", "c"} {
		s.Add(t, vrfsPath, map[string]any{"name": name})
	}
	s.SendWebhooks(func(d []Delivery) []Delivery { return []Delivery{d[2], d[0], d[0]} })
	s.AwaitWebhooks()
	if diff := cmp.Diff([]string{"created c", "created a", "created a"}, r.names()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestChangesOfOneObjectInOneRequestAreOneWebhook(t *testing.T) {
	s, r := New(t, Config{}), newReceiver(t, "x")
	seeded := Seed(t, s.URL(), s.TokenV1(), smallWorld())
	s.AddWebhook(Webhook{URL: r.URL, Secret: "x", Objects: []string{"dcim.interface", "dcim.macaddress"}})
	s.Add(t, interfacesPath, map[string]any{"device": seeded.ID(t, devicesPath, "web1"), "name": "eth9", "type": "virtual", "mac_address": "52:54:00:00:00:99"})
	s.AwaitWebhooks()
	var kinds []string
	for _, b := range r.bodies {
		kinds = append(kinds, fmt.Sprint(b["event"], " ", b["object_type"]))
	}
	slices.Sort(kinds)
	if diff := cmp.Diff([]string{"created dcim.interface", "created dcim.macaddress"}, kinds); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheBodyOfAWebhookDependsOnTheVersion(t *testing.T) {
	for v, want := range map[Version]string{V42: "data event model request_id snapshots timestamp username", V44: "data event model object_type request_id snapshots timestamp username",
		V45: "data event object_type request_id snapshots timestamp username", V46: "data event object_type request request_id snapshots timestamp username",
		V47: "data event object_type request snapshots timestamp"} {
		t.Run(string(v), func(t *testing.T) {
			s, r := New(t, Config{Version: v}), newReceiver(t, "x")
			s.AddWebhook(Webhook{URL: r.URL, Secret: "x"})
			s.Add(t, vrfsPath, map[string]any{"name": "v"})
			s.AwaitWebhooks()
			var keys []string
			for k := range r.bodies[0] {
				keys = append(keys, k)
			}
			slices.Sort(keys)
			if got := strings.Join(keys, " "); got != want {
				t.Errorf("keys %s, want %s", got, want)
			}
		})
	}
}

package netboxtest

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func webhookFacts() []fact {
	return []fact{
		{"a webhook is signed and tells event, object and snapshots", 0, signedWebhook},
		{"a PATCH that changes nothing sends a webhook too", 0, func(t *testing.T, c *contract) {
			made := c.address(t, nil)
			next := c.listen(t, "ipam.ipaddress")
			expect(t, c.call(t, http.MethodPatch, detailPath(addressesPath, made.id()), object{"description": ""}), http.StatusOK, nil)
			expect(t, next(), 0, map[string]any{"event": "updated", "data.id": made.id()})
		}},
		{"other objects send none, and what goes along when deleted sends its own", 0, func(t *testing.T, c *contract) {
			i := c.create(t, vmInterfacesPath, object{"virtual_machine": c.id(t, machinesPath, "vm1"), "name": "hooked"})
			ip := c.address(t, object{"assigned_object_type": "virtualization.vminterface", "assigned_object_id": i.id()})
			next := c.listen(t, "ipam.ipaddress")
			expect(t, c.call(t, http.MethodDelete, detailPath(vmInterfacesPath, i.id()), nil), http.StatusNoContent, nil)
			expect(t, next(), 0, map[string]any{"event": "deleted", "data.id": ip.id(), "snapshots.postchange": nil})
		}},
	}
}

func signedWebhook(t *testing.T, c *contract) {
	next := c.listen(t, "ipam.ipaddress")
	made := c.address(t, object{"tags": []object{{"slug": "dhcp"}}})
	g := next()
	expect(t, g, 0, map[string]any{"event": "created", "data.id": made.id(), "data.address": made.at("address"), "data.status.value": "active",
		"data.url": "/api/" + detailPath(addressesPath, made.id()), "data.display_url": "/" + detailPath(addressesPath, made.id()),
		"data.tags.0.slug": "dhcp", "snapshots.prechange": nil, "snapshots.postchange.address": made.at("address")})
	for key, has := range map[string]bool{"object_type": c.atLeast(4), "model": !c.atLeast(5), "username": !c.atLeast(7), "request_id": !c.atLeast(7), "request": c.atLeast(6)} {
		if g.has(key) != has {
			t.Errorf("%s there: %v, want %v", key, g.has(key), has)
		}
	}
	if c.atLeast(6) {
		expect(t, g, 0, map[string]any{"request.id": made.header.Get("X-Request-ID"), "request.method": "POST", "request.path": "/api/ipam/ip-addresses/", "request.user": "admin"})
	}
	expect(t, c.call(t, http.MethodPatch, detailPath(addressesPath, made.id()), object{"description": "x"}), http.StatusOK, nil)
	expect(t, next(), 0, map[string]any{"event": "updated", "snapshots.prechange.description": "", "snapshots.postchange.description": "x", "data.description": "x"})
}

// listen receives the webhooks of one object type. The function it returns waits for the next one and checks its signature.
func (c *contract) listen(t *testing.T, objectType string) func() got {
	t.Helper()
	const secret = "contract"
	type delivery struct {
		signature string
		body      []byte
	}
	arrived := make(chan delivery, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read webhook: %v", err)
		}
		arrived <- delivery{r.Header.Get("X-Hook-Signature"), body}
	}))
	t.Cleanup(receiver.Close)
	c.target.Hook(t, Webhook{URL: receiver.URL + "/", Secret: secret, Objects: []string{objectType}})
	return func() got {
		t.Helper()
		select {
		case d := <-arrived:
			mac := hmac.New(sha512.New, []byte(secret))
			mac.Write(d.body)
			if want := hex.EncodeToString(mac.Sum(nil)); d.signature != want {
				t.Errorf("signature %q, want %q", d.signature, want)
			}
			if !json.Valid(d.body) {
				t.Fatalf("webhook is not JSON: %s", clip(d.body))
			}
			return got{raw: d.body, body: decodeJSON(t, d.body)}
		case <-time.After(2 * time.Minute):
			t.Fatal("no webhook came: does a worker run?")
		}
		return got{}
	}
}

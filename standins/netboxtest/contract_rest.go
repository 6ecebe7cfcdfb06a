package netboxtest

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/google/uuid"
)

// HookByREST makes a webhook and its event rule on a real NetBox, and removes them after the test.
func HookByREST(baseURL, token string) func(t *testing.T, w Webhook) {
	return func(t *testing.T, w Webhook) {
		t.Helper()
		c := &contract{admin: newAdmin(baseURL, token)}
		name := "hook-" + uuid.NewString()[:8]
		hook := c.create(t, "extras/webhooks", object{"name": name, "payload_url": w.URL, "http_method": "POST", "secret": w.Secret})
		c.create(t, "extras/event-rules", object{"name": name, "object_types": w.Objects, "action_type": "webhook",
			"action_object_type": "extras.webhook", "action_object_id": hook.id(),
			"event_types": []string{"object_created", "object_updated", "object_deleted"}})
	}
}

// LimitByREST makes limited users, permissions and tokens on a real NetBox, and removes them after the test.
func LimitByREST(baseURL, token string) func(t *testing.T, readOnly bool, grants ...Grant) string {
	return func(t *testing.T, readOnly bool, grants ...Grant) string {
		t.Helper()
		c := &contract{admin: newAdmin(baseURL, token)}
		password := "Lim1ted-" + uuid.NewString()
		name := "limited-" + uuid.NewString()[:8]
		user := c.create(t, "users/users", object{"username": name, "password": password, "is_active": true})
		for i, g := range grants {
			f := object{"name": fmt.Sprintf("%s-%d", name, i), "object_types": []string{g.Object}, "users": []int64{user.id()}, "actions": g.Actions, "enabled": true}
			if len(g.Actions) == 0 {
				f["actions"] = []string{"view", "add", "change", "delete"}
			}
			if g.Tag != "" {
				f["constraints"] = object{"tags__slug": g.Tag}
			}
			if len(g.IDs) > 0 {
				f["constraints"] = object{"id__in": g.IDs}
			}
			c.create(t, "users/permissions", f)
		}
		made := c.call(t, http.MethodPost, "users/tokens/", object{"user": user.id(), "write_enabled": !readOnly})
		expect(t, made, http.StatusCreated, nil)
		key, _ := made.at("key").(string)
		secret, _ := made.at("token").(string)
		if slices.Contains([]string{key, secret}, "") {
			return key + secret
		}
		return "nbt_" + key + "." + secret
	}
}

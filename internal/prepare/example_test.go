package prepare

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// Nothing that a bootstrap makes reaches clients before an operator has activated it.
func TestTheExampleContextIsMadeInactiveAndOnce(t *testing.T) {
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s := netboxtest.New(t, netboxtest.Config{Version: v, JobWorkers: true})
			c := clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent())
			plan, err := PlanFor(t.Context(), c, Example("dhcp"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff("create tag dhcp-example\ncreate config context DHCP options (example)\n", plan.String()); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
			if err := plan.Apply(t.Context(), c, clienttest.Silent()); err != nil {
				t.Fatal(err)
			}
			made, err := named(t.Context(), c, netbox.Contexts, "name", "DHCP options (example)")
			if err != nil || made == nil {
				t.Fatalf("the context: %v, %v", made, err)
			}
			if !made.Is("is_active", false) || !cmp.Equal(made.TagSlugs(), []string{"dhcp-example"}) {
				t.Errorf("active %s, tags %q", made.Raw("is_active"), made.TagSlugs())
			}
			var data map[string]map[string]any
			if err := json.Unmarshal(made.Raw("data"), &data); err != nil || len(data) != 1 || len(data["dhcp"]) == 0 {
				t.Errorf("data: %s, %v", made.Raw("data"), err)
			}
			// People edit it; a second run leaves that alone.
			s.Edit(t, "extras/config-contexts", made.ID(), map[string]any{"is_active": true, "data": map[string]any{"dhcp": map[string]any{}}})
			again, err := PlanFor(t.Context(), c, Example("dhcp"))
			if err != nil || !again.Empty() {
				t.Errorf("still to do: %s%v", again, err)
			}
		})
	}
}

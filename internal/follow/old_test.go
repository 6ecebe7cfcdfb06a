package follow

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
)

func TestANetBoxBefore42IsRefused(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("API-Version", "4.1")
		fmt.Fprint(w, `{"netbox-version":"4.1.11"}`)
	}))
	t.Cleanup(s.Close)
	c := clienttest.Connect(t, s.URL, clienttest.SecretToken, clienttest.Silent())
	_, err := newReader(c, Config{Fields: testFields(), ContextKey: "", GateFields: nil}).load(t.Context())
	if netbox.KindOf(err) != netbox.TooOld || !strings.Contains(err.Error(), "NetBox 4.1") || !strings.Contains(err.Error(), "4.2 or newer") {
		t.Errorf("got %v, want a refusal that names both versions", err)
	}
}

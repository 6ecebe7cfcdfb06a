package launch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/history"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// HI-9: check names a webhook whose secret cannot be read, and not the secret of others.
func TestCheckNamesWebhooksWithoutASecret(t *testing.T) {
	there := filepath.Join(t.TempDir(), "hook")
	if err := os.WriteFile(there, []byte("topsecret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	listWebhooks(&out, settings.Events{Webhooks: []settings.Webhook{{SecretFile: there}, {SecretFile: there + "x"}}})
	if text := out.String(); !strings.Contains(text, "webhooks[1] gets no events") || strings.Contains(text, "webhooks[0]") || strings.Contains(text, "topsecret") {
		t.Errorf("%s", text)
	}
}

// HI-8: an erasure says what went, what stays and what is beyond reach.
func TestAnErasureSaysWhatItDid(t *testing.T) {
	shown := erasedShown{Erased: instance.Erased{History: history.Erased{Spans: 1, Running: 2, Damaged: 3}, Events: 4, Leases: 1, Running: 1}, Unreached: []string{"log files"}}
	for _, c := range []struct {
		done bool
		end  string
	}{{false, "Nothing was erased. Run again with --yes to do it.\n"}, {true, "Erased.\n"}} {
		var out strings.Builder
		shown.Done = c.done
		if err := shown.print(&out); err != nil || !strings.HasSuffix(out.String(), c.end) {
			t.Errorf("%v: %s", err, out.String())
		}
		for _, want := range []string{"1 span\n", "3 lines that cannot be read any more", "4 lines", "1 ended lease\n", "1 lease and 2 spans of the history that run", "- log files"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in\n%s", want, out.String())
			}
		}
	}
}

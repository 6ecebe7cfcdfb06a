package settings

import (
	"strings"
	"testing"
	"time"
)

// HI-5, HI-9: mistakes about history and events are all told, and no address or secret is
// repeated.
func TestMistakesAboutHistoryAndEventsAreTold(t *testing.T) {
	_, err := parse(t, chain+`netbox:
  url: https://netbox.example.org
  history: {keep: 1h, max_bytes: 10}
  events:
    file_bytes: 1
    files: 0
    webhooks:
      - {url: "http://hooks.example.org/topsecret", secret_file: s}
      - {url: "https://u:topsecret@hooks.example.org/"}
      - {url: nonsense, secret: topsecret, timeout: 1h}
`)
	if err == nil {
		t.Fatal("no mistake was found")
	}
	for _, want := range []string{
		"netbox.history.keep: want 1d to 3650d", "netbox.history.max_bytes", "netbox.events.file_bytes", "netbox.events.files",
		"netbox.events.webhooks[0].url: want https", "netbox.events.webhooks[1].url: a user name", "netbox.events.webhooks[1].secret_file: want a file",
		"netbox.events.webhooks[2].url: want an address", "netbox.events.webhooks[2].secret: a secret is never a setting", "netbox.events.webhooks[2].timeout: want 1s to 1m",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "topsecret") {
		t.Errorf("it repeats what may be secret:\n%v", err)
	}
}

// HI-9: paths count from the folder of the file, and a webhook has a time limit.
func TestWebhooksAreRead(t *testing.T) {
	f, err := parse(t, chain+`netbox:
  url: https://netbox.example.org
  history: {keep: 0s}
  events: {file: events.jsonl, webhooks: [{url: "http://127.0.0.1:9/", secret_file: hook, ca_file: /ca.pem}]}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := Webhook{URL: "http://127.0.0.1:9/", SecretFile: "/etc/c/hook", CAFile: "/ca.pem", Timeout: 10 * time.Second}
	if e := f.NetBox.Events; e.File != "/etc/c/events.jsonl" || len(e.Webhooks) != 1 || e.Webhooks[0] != want || e.Off() || f.NetBox.History.Keep != 0 {
		t.Errorf("%+v", f.NetBox.Events)
	}
}

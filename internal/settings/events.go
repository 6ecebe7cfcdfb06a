package settings

import (
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

// History is netbox.history: who had which address, and when.
type History struct {
	Keep     time.Duration `yaml:"keep"`      // after the end of a lease; 0: there is no history
	MaxBytes int64         `yaml:"max_bytes"` // of all files of the history; the oldest days go first
}

// Events is netbox.events: what is told of leases to other programs.
type Events struct {
	Renewals  bool      `yaml:"renewals"`   // renewals are events, too
	File      string    `yaml:"file"`       // of JSON lines; empty: none
	FileBytes int64     `yaml:"file_bytes"` // the file is renamed before it has more
	Files     int       `yaml:"files"`      // how many there are at most
	Webhooks  []Webhook `yaml:"webhooks"`
}

// Webhook is one of netbox.events.webhooks.
type Webhook struct {
	URL        string        `yaml:"url"`
	SecretFile string        `yaml:"secret_file"` // what deliveries are signed with
	CAFile     string        `yaml:"ca_file"`     // PEM certificates to trust besides the system's
	Timeout    time.Duration `yaml:"timeout"`     // of one delivery

	_ struct{} `yaml:"secret" refuse:"a secret is never a setting, since this file is read, copied and backed up: write it to a file of its own, name that in secret_file, and replace the secret if others have seen this file"`
}

// SetDefaults fills what a webhook need not say.
func (w *Webhook) SetDefaults() { w.Timeout = 10 * time.Second }

// Secret returns what deliveries are signed with. The file is read at each call.
func (w Webhook) Secret() (Secret, error) { return ReadToken("webhook secret", w.SecretFile) }

// Off reports whether no event goes anywhere.
func (e Events) Off() bool { return e.File == "" && len(e.Webhooks) == 0 }

// derive lets relative paths begin at folder.
func (e *Events) derive(r *strictyaml.Report, folder string) {
	paths := []*string{&e.File}
	for i := range e.Webhooks {
		w := &e.Webhooks[i]
		if mistake := PathMistake(w.SecretFile); mistake != "" {
			r.Addf(fmt.Sprintf("netbox.events.webhooks[%d].secret_file", i), "%s", mistake)
		}
		paths = append(paths, &w.SecretFile, &w.CAFile)
	}
	for _, path := range paths {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(folder, *path)
		}
	}
}

func validateHistory(r *strictyaml.Report, h History) {
	switch {
	case h.Keep == 0:
	case h.Keep < day || h.Keep > 10*year:
		r.Addf("netbox.history.keep", "want 1d to 3650d, or 0s for no history, not %s", strictyaml.Duration(h.Keep))
	}
	if h.MaxBytes < 1<<20 {
		r.Addf("netbox.history.max_bytes", "want 1048576 (1 MiB) or more, not %d", h.MaxBytes)
	}
}

// maxWebhooks is how many webhooks there may be: each has a queue of its own.
const maxWebhooks = 8

func validateEvents(r *strictyaml.Report, e Events) {
	if e.FileBytes < 64<<10 {
		r.Addf("netbox.events.file_bytes", "want 65536 (64 KiB) or more, not %d", e.FileBytes)
	}
	if e.Files < 1 || e.Files > 1000 {
		r.Addf("netbox.events.files", "want 1 to 1000, not %d", e.Files)
	}
	if len(e.Webhooks) > maxWebhooks {
		r.Addf("netbox.events.webhooks", "want %d at most, not %d", maxWebhooks, len(e.Webhooks))
	}
	for i, w := range e.Webhooks {
		key := fmt.Sprintf("netbox.events.webhooks[%d].", i)
		validateHookURL(r, key+"url", w.URL)
		if w.SecretFile == "" {
			r.Addf(key+"secret_file", "want a file with the secret that deliveries are signed with (openssl rand -hex 32)")
		}
		if w.Timeout < time.Second || w.Timeout > time.Minute {
			r.Addf(key+"timeout", "want 1s to 1m, not %s", strictyaml.Duration(w.Timeout))
		}
	}
}

// validateHookURL reports an address that events cannot be sent to safely. It never
// repeats the address, which may hold a secret.
func validateHookURL(r *strictyaml.Report, key, address string) {
	if r.Failed(key) {
		return
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.Fragment != "":
		r.Addf(key, "want an address such as https://hooks.example.org/dhcp")
	case u.User != nil:
		r.Addf(key, "a user name or password does not belong here; deliveries are signed with the secret in secret_file")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		r.Addf(key, "want https: events name people's devices, and http is for receivers on this machine only")
	}
}

// loopback reports whether a host of an address is this machine.
func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

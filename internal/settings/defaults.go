package settings

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

// Defaults returns the settings of an empty netbox: section.
func Defaults() NetBox {
	return NetBox{
		ContextKey: "pydhcp_configuration",
		Timeout:    time.Minute,
		Poll:       Poll{Interval: 30 * time.Second, StaleAfter: 24 * time.Hour, Doubt: time.Hour},
		Store:      Store{Engine: "pebble", Path: "/var/lib/coredhcp-netbox"},
		Lease: Lease{
			Time:         time.Hour,
			Min:          5 * time.Minute,
			Max:          time.Hour,
			OfferHold:    time.Minute,
			DeclineTime:  24 * time.Hour,
			ReclaimGrace: 10 * time.Second,
			Pick:         "lowest",
			Identify:     "mac",
		},
		Dynamic: Dynamic{Tag: "DHCP", WriteBack: "existing", AllowUnknown: true},
		Fields:  Fields{MAC: "pydhcp_mac", Expire: "pydhcp_expire"},
		Clients: Clients{LAG: "match"},
		Network: Network{ServerIDOverride: true, Serve: "all"},
		Claims:  Claims{Idle: 30 * 24 * time.Hour},
		Gateway: Gateway{Tag: "Gateway"},
		DNS:     DNS{Fallback: "none"},
		DDNS:    DDNS{Clients: "all", Names: []string{"netbox", "client"}, Template: "dhcp-{address}", DHCID: "mac", OverrideClientUpdate: true},
		PXE: PXE{
			Gate:          "auto",
			RedeployField: "redeploy",
			ConfirmField:  "confirm_redeploy",
			Unknown:       "none",
		},
		Control:     Control{Folder: "/run/coredhcp-netbox"},
		History:     History{Keep: 30 * 24 * time.Hour, MaxBytes: 1 << 30},
		Events:      Events{FileBytes: 16 << 20, Files: 5},
		BootService: BootService{TFTPListen: ":69", MaxTransfers: 256, MaxPerClient: 16},
	}
}

// Complete fills what follows from elsewhere: defaults from other settings, full
// paths from the folder of the file, and address and token from the environment
// where the file names none. It reports mistakes to r. origins says which keys
// came from the environment, and from where; unused warns of variables that have
// no effect, since the file wins: it is what people look at.
func (n *NetBox) Complete(r *strictyaml.Report, folder string, getenv func(string) string) (origins map[string]string, unused []Problem) {
	n.derive(r, folder)
	n.DDNS.complete(folder, getenv("CREDENTIALS_DIRECTORY"))
	if given := firstFolder(getenv("RUNTIME_DIRECTORY")); given != "" && !r.Has("netbox.control.folder") {
		n.Control.Folder = given
	}
	if !r.Has("netbox.store.copy") {
		n.Store.Copy = firstFolder(getenv("CACHE_DIRECTORY"))
	}
	return n.fillFromEnvironment(getenv)
}

// derive fills the defaults that follow from other settings (lease.max is
// lease.time, and lease.min is never above it) and lets relative paths begin
// at folder.
func (n *NetBox) derive(r *strictyaml.Report, folder string) {
	if !r.Has("netbox.lease.max") {
		n.Lease.Max = n.Lease.Time
	}
	if !r.Has("netbox.lease.min") {
		n.Lease.Min = min(n.Lease.Min, n.Lease.Time)
	}
	if LooksLikeToken(n.TokenFile) {
		r.Addf("netbox.token_file", "this looks like a token, not like the path of a file that holds one")
	}
	if mistake := PathMistake(n.TokenFile); mistake != "" {
		r.Addf("netbox.token_file", "%s", mistake)
	}
	for key, path := range map[string]string{"token_file": n.Status.TokenFile, "certificate_file": n.Status.CertificateFile, "key_file": n.Status.KeyFile} {
		if LooksLikeToken(path) {
			r.Addf("netbox.status."+key, "this looks like a token, not like the path of a file that holds one")
		}
		if mistake := PathMistake(path); mistake != "" {
			r.Addf("netbox.status."+key, "%s", mistake)
		}
	}
	n.Status.URL = strings.TrimRight(strings.TrimSpace(n.Status.URL), "/")
	for _, path := range []*string{&n.Status.TokenFile, &n.Status.CertificateFile, &n.Status.KeyFile, &n.TokenFile, &n.CAFile, &n.Inventory, &n.Store.Path, &n.Store.Copy, &n.BootService.Folder, &n.Control.Folder} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(folder, *path)
		}
	}
	n.Events.derive(r, folder)
	n.URL = baseURL(n.URL)
}

// firstFolder is the first of systemd's folders, which have colons between them.
func firstFolder(list string) string {
	first, _, _ := strings.Cut(list, ":")
	return first
}

// credential is the name of the token among systemd's credentials.
const credential = "netbox_token"

// fillFromEnvironment does the part of Complete that its name says.
func (n *NetBox) fillFromEnvironment(getenv func(string) string) (origins map[string]string, unused []Problem) {
	origins = make(map[string]string)
	ignore := func(name, setting string) {
		unused = append(unused, Problem{File: "environment", Key: name, Text: "not used, since " + setting + " is set"})
	}
	switch url := baseURL(getenv("NETBOX_URL")); {
	case url == "" || url == n.URL:
	case n.Inventory != "":
		ignore("NETBOX_URL", "netbox.inventory")
	case n.URL != "":
		ignore("NETBOX_URL", "netbox.url")
	default:
		n.URL, origins["netbox.url"] = url, "environment NETBOX_URL"
	}
	token := strings.TrimSpace(getenv("NETBOX_TOKEN"))
	tokenFile, folder := getenv("NETBOX_TOKEN_FILE"), getenv("CREDENTIALS_DIRECTORY")
	switch {
	case n.TokenFile != "" && token != "":
		ignore("NETBOX_TOKEN", "netbox.token_file")
	case n.TokenFile != "":
	case token != "":
		n.EnvToken = Secret(token)
	case tokenFile != "":
		n.TokenFile, origins["netbox.token_file"] = tokenFile, "environment NETBOX_TOKEN_FILE"
	case folder != "":
		n.TokenFile, origins["netbox.token_file"] = filepath.Join(folder, credential), "systemd credential "+credential
	}
	return origins, unused
}

// baseURL removes what people copy along with the address of their NetBox.
func baseURL(s string) string {
	return strings.TrimRight(strings.TrimSuffix(strings.TrimRight(strings.TrimSpace(s), "/"), "/api"), "/")
}

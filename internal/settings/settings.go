// Package settings reads the section netbox: of the one YAML file (sync: belongs
// to the mirror, the rest to CoreDHCP). It is strict: an unknown key or a value
// that makes no sense is an error with its line, and all errors are reported at
// once. The mirror reads its part of netbox: with it too. It must not open a
// connection, read NetBox data or know the section sync:.
package settings

import (
	"net/netip"
	"time"
)

// NetBox is the netbox: section with defaults filled in. Keys, defaults and
// meaning: config.yml.example (SET-1). Paths that are relative in the file count from
// its folder.
type NetBox struct {
	URL        string        `yaml:"url"`        // address of NetBox without /api, or NETBOX_URL
	TokenFile  string        `yaml:"token_file"` // or NETBOX_TOKEN_FILE, or netbox_token among systemd's credentials
	CAFile     string        `yaml:"ca_file"`    // PEM certificates to trust besides the system's
	Inventory  string        `yaml:"inventory"`  // YAML file used instead of a NetBox
	VRF        string        `yaml:"vrf"`        // name or RD; empty: global table
	ContextKey string        `yaml:"context_key"`
	Timeout    time.Duration `yaml:"timeout"` // per background call
	Poll       Poll          `yaml:"poll"`
	Store      Store         `yaml:"store"`
	Lease      Lease         `yaml:"lease"`
	Dynamic    Dynamic       `yaml:"dynamic"`
	Fields     Fields        `yaml:"fields"`
	Clients    Clients       `yaml:"clients"`
	Network    Network       `yaml:"network"`
	Claims     Claims        `yaml:"claims"`
	Gateway    Gateway       `yaml:"gateway"`
	DNS        DNS           `yaml:"dns"`
	DDNS       DDNS          `yaml:"ddns"`
	PXE        PXE           `yaml:"pxe"`

	BootService BootService `yaml:"boot_service"`
	Metrics     Metrics     `yaml:"metrics"`
	Status      Status      `yaml:"status"`
	Control     Control     `yaml:"control"`
	History     History     `yaml:"history"`
	Events      Events      `yaml:"events"`

	EnvToken Secret `yaml:"-"` // NETBOX_TOKEN, where it is used

	_ struct{} `yaml:"token" refuse:"a token is never a setting, since this file is read, copied and backed up: write it to a file of its own, name that in token_file, and replace the token if others have seen this file"`
}

// Poll is netbox.poll.
type Poll struct {
	Interval   time.Duration `yaml:"interval"`
	StaleAfter time.Duration `yaml:"stale_after"`
	Doubt      time.Duration `yaml:"doubt"`
}

// Store is netbox.store.
type Store struct {
	Engine    string   `yaml:"engine"` // pebble or etcd
	Path      string   `yaml:"path"`   // folder of leases and disk snapshot
	Endpoints []string `yaml:"endpoints"`
	// Copy is the folder of a second copy of the last snapshot and the running
	// leases; default: systemd's CACHE_DIRECTORY, empty: none.
	Copy string `yaml:"copy"`
}

// Lease is netbox.lease.
type Lease struct {
	Time         time.Duration `yaml:"time"`
	Min          time.Duration `yaml:"min"` // default: 5m, or Time if that is shorter
	Max          time.Duration `yaml:"max"` // default: Time
	OfferHold    time.Duration `yaml:"offer_hold"`
	DeclineTime  time.Duration `yaml:"decline_time"`
	ReclaimGrace time.Duration `yaml:"reclaim_grace"`
	Probe        time.Duration `yaml:"probe"` // 0: off
	Pick         string        `yaml:"pick"`  // lowest or hash
	StandbySecs  int           `yaml:"standby_secs"`
	Fallthrough  bool          `yaml:"fallthrough"`
	Identify     string        `yaml:"identify"` // mac or client_id
	StaticAtOnce bool          `yaml:"static_at_once"`
}

// Dynamic is netbox.dynamic.
type Dynamic struct {
	Tag          string   `yaml:"tag"`   // name or slug, compared without case
	Roles        []string `yaml:"roles"` // names or slugs of IPAM roles, of ranges that are pools
	Status       string   `yaml:"status"`
	WriteBack    string   `yaml:"write_back"` // existing, leased or none
	AllowUnknown bool     `yaml:"allow_unknown"`
	KeepForKnown int      `yaml:"keep_for_known"` // percent of each pool, 0 to 90
}

// Fields is netbox.fields: names of custom fields on IP addresses.
type Fields struct {
	MAC      string `yaml:"mac"`
	Expire   string `yaml:"expire"`
	Hostname string `yaml:"hostname"` // empty: not written

	// ReservationMAC and ReservationClientID name the client that an address without
	// a device is for (CL-1); empty: no address does.
	ReservationMAC      string `yaml:"reservation_mac"`
	ReservationClientID string `yaml:"reservation_client_id"`
}

// Clients is netbox.clients.
type Clients struct {
	LAG           string `yaml:"lag"` // match or any
	BindInterface bool   `yaml:"bind_interface"`
	SendHostname  bool   `yaml:"send_hostname"`
}

// Network is netbox.network.
type Network struct {
	Subnet           netip.Prefix `yaml:"subnet"` // zero: not set
	ServerIDOverride bool         `yaml:"server_id_override"`
	Relays           []Relays     `yaml:"relays"`    // empty: those in any prefix of NetBox (N-10)
	Serve            string       `yaml:"serve"`     // all or tagged (N-20)
	ServeTag         string       `yaml:"serve_tag"` // name or slug, compared without case; empty with all
	Circuits         Circuits     `yaml:"circuits"`
}

// Circuits is netbox.network.circuits: whose option 82 says which port a client is at
// (CL-13). The list of relays turns no relay away.
type Circuits struct {
	Relays  []Relays `yaml:"relays"`  // set or strip option 82 for each client; empty: none does
	Formats []string `yaml:"formats"` // names of parsers, or templates; empty: all parsers
}

// Claims is netbox.claims: what clients whose MAC NetBox does not know may say of
// themselves to get the address of their place.
type Claims struct {
	Prefixes []netip.Prefix `yaml:"prefixes"` // where claims count; empty: nowhere
	Serial   bool           `yaml:"serial"`
	Port     bool           `yaml:"port"` // what network.circuits leads to
	Boot     bool           `yaml:"boot"` // boot data of the place, too
	Idle     time.Duration  `yaml:"idle"` // for how long the owner must not have been heard
}

// Gateway is netbox.gateway.
type Gateway struct {
	Tag      string     `yaml:"tag"`
	Fallback netip.Addr `yaml:"fallback"` // zero: none
	All      bool       `yaml:"all"`
}

// DNS is netbox.dns.
type DNS struct {
	Fallback string `yaml:"fallback"` // none or gateway
}

// PXE is netbox.pxe.
type PXE struct {
	Gate          string `yaml:"gate"` // auto, on or off
	RedeployField string `yaml:"redeploy_field"`
	ConfirmField  string `yaml:"confirm_field"`
	Unknown       string `yaml:"unknown"`      // none or site
	DefaultArch   string `yaml:"default_arch"` // empty or bios

	// ProxyDHCP are interfaces where another server leases and this one only
	// gives boot data.
	ProxyDHCP []string `yaml:"proxy_dhcp"`
}

// BootService is netbox.boot_service: boot files from a folder of this machine.
type BootService struct {
	Folder       string `yaml:"folder"`      // empty: off
	TFTPListen   string `yaml:"tftp_listen"` // address and port; empty: no TFTP
	HTTPListen   string `yaml:"http_listen"` // address and port; empty: no HTTP
	MaxTransfers int    `yaml:"max_transfers"`
	MaxPerClient int    `yaml:"max_per_client"`
}

// Metrics is netbox.metrics.
type Metrics struct {
	Listen string `yaml:"listen"` // address and port of /metrics, /healthz and /readyz; empty: not served
}

// Control is netbox.control.
type Control struct {
	Folder string `yaml:"folder"` // of the control socket; where the file names none, RUNTIME_DIRECTORY wins
}

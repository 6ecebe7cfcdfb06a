package settings

import (
	"net/netip"
	"time"
)

// Sync is the sync: section with defaults filled in and overrides applied.
// Keys, defaults and meaning: windows-dhcp.md 11 and docs/sync/settings.md.
// Paths that are relative in the file count from its folder.
type Sync struct {
	Interval          time.Duration           `yaml:"interval"`  // 5m to 24h
	StateDir          string                  `yaml:"state_dir"` // state, lock and trusted certificates
	Priority          string                  `yaml:"priority"`  // high, default or low
	SyncIPs           bool                    `yaml:"sync_ips_from_dhcp"`
	PushReservations  bool                    `yaml:"push_reservations"`
	PushScopeInfo     bool                    `yaml:"push_scope_info"`
	ReadOnly          bool                    `yaml:"read_only"` // no write to any Windows server
	DryRun            bool                    `yaml:"dry_run"`   // no write anywhere
	ActiveScopesOnly  bool                    `yaml:"active_scopes_only"`
	AutoImport        bool                    `yaml:"auto_import"`
	RefreshOptions    bool                    `yaml:"refresh_options"`
	Adopt             string                  `yaml:"adopt"` // overwrite, skip or report (3.5 row 11)
	InheritTenant     bool                    `yaml:"inherit_tenant"`
	SkipRAS           bool                    `yaml:"skip_ras"`
	ExpiryInNetBox    bool                    `yaml:"expiry_in_netbox"`
	MaintenanceScopes []netip.Prefix          `yaml:"maintenance_scopes"` // on every server
	Statuses          SyncStatuses            `yaml:"statuses"`
	Protect           SyncProtect             `yaml:"protect"`
	Guards            SyncGuards              `yaml:"guards"`
	Import            SyncImport              `yaml:"import"`
	Push              SyncPush                `yaml:"push"`
	PSU               SyncPSU                 `yaml:"psu"`
	Certificates      SyncCertificates        `yaml:"certificates"`
	Status            SyncStatus              `yaml:"status"`
	Servers           []SyncServer            `yaml:"servers"`  // in the order of the file, which counts (3.3)
	Failover          map[string]SyncFailover `yaml:"failover"` // by name; see Sync.Relationship
	Overrides         SyncOverrides           `yaml:"overrides"`
}

// SyncStatuses is sync.statuses: values of the status of IP addresses.
type SyncStatuses struct {
	Lease               string   `yaml:"lease"`
	Reservation         string   `yaml:"reservation"`
	PreviousLease       []string `yaml:"previous_lease"`
	PreviousReservation []string `yaml:"previous_reservation"`
}

// SyncProtect is sync.protect.
type SyncProtect struct {
	Tag            string `yaml:"tag"` // slug; empty: nothing is protected
	UpdateClientID bool   `yaml:"update_client_id"`
}

// SyncGuards is sync.guards (3.7 guards c and e). A scope that would lose more
// than both limits loses nothing.
type SyncGuards struct {
	MaxDeletePercent int  `yaml:"max_delete_percent"` // 0 to 100
	MaxDeleteCount   int  `yaml:"max_delete_count"`
	KeepAssigned     bool `yaml:"keep_assigned"`
}

// SyncImport is sync.import.
type SyncImport struct {
	CreateMissingPrefixes bool `yaml:"create_missing_prefixes"`
}

// SyncPush is sync.push (5.2).
type SyncPush struct {
	ReplaceClientID bool `yaml:"replace_client_id"`
	DeleteRemoved   bool `yaml:"delete_removed"`
	PushToPartner   bool `yaml:"push_to_partner"`
}

// SyncPSU is sync.psu: how PowerShell Universal is called.
type SyncPSU struct {
	Timeout  time.Duration `yaml:"timeout"`  // of one request
	Parallel int           `yaml:"parallel"` // requests to one server, 1 to 8
}

// SyncCertificates is sync.certificates.
type SyncCertificates struct {
	WarnDays int `yaml:"warn_days"` // before a trusted certificate ends
}

// SyncStatus is sync.status: the status page.
type SyncStatus struct {
	Listen string `yaml:"listen"` // host:port; empty: no page
	URL    string `yaml:"url"`    // how people reach it, without a slash at the end; empty: no links to it
}

// SyncServer is an entry of sync.servers.
type SyncServer struct {
	Host                 string                  `yaml:"host"` // name or address, as written
	Port                 int                     `yaml:"port"`
	HTTPS                bool                    `yaml:"https"`
	Verify               bool                    `yaml:"verify"`
	ServerName           string                  `yaml:"server_name"` // name in the certificate; empty: Host
	TokenFile            string                  `yaml:"token_file"`
	TokenEnv             string                  `yaml:"token_env"` // name of a variable
	SyncStandaloneScopes bool                    `yaml:"sync_standalone_scopes"`
	Maintenance          bool                    `yaml:"maintenance"`
	Enabled              bool                    `yaml:"enabled"` // false: not contacted, its records are left alone
	Aliases              []string                `yaml:"aliases"`
	VRF                  string                  `yaml:"vrf"`       // name or RD; empty: global table
	ScopeVRF             map[netip.Prefix]string `yaml:"scope_vrf"` // by subnet; wins over VRF

	EnvToken Secret `yaml:"-"` // value of TokenEnv

	_ struct{} `yaml:"token" refuse:"a token is never a setting, since this file is read, copied and backed up: write it to a file of its own and name that in token_file, or name an environment variable in token_env; replace the token if others have seen this file"`
	_ struct{} `yaml:"secret" refuse:"a secret is never a setting, since this file is read, copied and backed up: write the token to a file of its own and name that in token_file, or name an environment variable in token_env"`
}

// SyncFailover is an entry of sync.failover: what is decided here about a
// relationship that the servers report.
type SyncFailover struct {
	Primary     string `yaml:"primary"` // a configured server; empty: the recorded one (3.3)
	SyncEnabled bool   `yaml:"sync_enabled"`
	Maintenance bool   `yaml:"maintenance"`

	_ struct{} `yaml:"secret" refuse:"not needed: relationships are read and never created, and no secret belongs in this file"`
	_ struct{} `yaml:"shared_secret" refuse:"not needed: relationships are read and never created, and no secret belongs in this file"`
}

// SyncOverrides is sync.overrides, which is applied to the rest already
// (section 7). nil: the value of the rest stays.
type SyncOverrides struct {
	SyncIPs          *bool                         `yaml:"sync_ips_from_dhcp"`
	PushReservations *bool                         `yaml:"push_reservations"`
	PushScopeInfo    *bool                         `yaml:"push_scope_info"`
	Servers          map[string]SyncServerOverride `yaml:"servers"` // by host
}

// SyncServerOverride is an entry of sync.overrides.servers. A token here takes
// the place of both token_file and token_env of the server.
type SyncServerOverride struct {
	TokenFile string `yaml:"token_file"`
	TokenEnv  string `yaml:"token_env"`
	Port      *int   `yaml:"port"`
	Enabled   *bool  `yaml:"enabled"`

	_ struct{} `yaml:"token" refuse:"a token is never a setting, not even in an override: write it to a file of its own and name that in token_file, or name an environment variable in token_env"`
	_ struct{} `yaml:"secret" refuse:"a secret is never a setting, not even in an override: write the token to a file of its own and name that in token_file, or name an environment variable in token_env"`
}

// SyncDefaults returns the settings of an empty sync: section.
func SyncDefaults() Sync {
	return Sync{
		Interval:       time.Hour,
		StateDir:       "/var/lib/netbox-dhcp-sync",
		Priority:       "default",
		RefreshOptions: true,
		Adopt:          "overwrite",
		InheritTenant:  true,
		Statuses:       SyncStatuses{Lease: "dhcp", Reservation: "reserved"},
		Guards:         SyncGuards{MaxDeletePercent: 50, MaxDeleteCount: 25, KeepAssigned: true},
		Import:         SyncImport{CreateMissingPrefixes: true},
		PSU:            SyncPSU{Timeout: time.Minute, Parallel: 2},
		Certificates:   SyncCertificates{WarnDays: 90},
	}
}

// SyncServerDefaults returns an entry of sync.servers with nothing but a host.
func SyncServerDefaults(host string) SyncServer {
	return SyncServer{Host: host, Port: 443, HTTPS: true, Verify: true, SyncStandaloneScopes: true, Enabled: true}
}

// SetDefaults makes s SyncServerDefaults, for the reader of the file.
func (s *SyncServer) SetDefaults() { *s = SyncServerDefaults("") }

// SyncFailoverDefaults returns an empty entry of sync.failover.
func SyncFailoverDefaults() SyncFailover { return SyncFailover{SyncEnabled: true} }

// SetDefaults makes s SyncFailoverDefaults, for the reader of the file.
func (s *SyncFailover) SetDefaults() { *s = SyncFailoverDefaults() }

// Package settings reads the section sync: of the one YAML file, and what the
// mirror needs of netbox:, strictly and completely: every mistake is an error
// with its line, and all of them are reported at once. It knows for each value
// where it comes from. It must not open a connection or check what only NetBox
// or a Windows server can tell.
package settings

import (
	"net/netip"
	"time"

	shared "github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// Sync is the sync: section with defaults filled in and overrides applied.
// Keys, defaults and meaning: rule 11 and docs/sync/settings.md.
// Paths that are relative in the file count from its folder.
type Sync struct {
	Interval          time.Duration       `yaml:"interval"`  // 5m to 24h
	StateDir          string              `yaml:"state_dir"` // state, lock and trusted certificates
	Priority          string              `yaml:"priority"`  // high, default or low
	SyncIPs           bool                `yaml:"sync_ips_from_dhcp"`
	PushReservations  bool                `yaml:"push_reservations"`
	PushScopeInfo     bool                `yaml:"push_scope_info"`
	ReadOnly          bool                `yaml:"read_only"` // no write to any Windows server
	DryRun            bool                `yaml:"dry_run"`   // no write anywhere
	ActiveScopesOnly  bool                `yaml:"active_scopes_only"`
	AutoImport        bool                `yaml:"auto_import"`
	RefreshOptions    bool                `yaml:"refresh_options"`
	Adopt             string              `yaml:"adopt"` // overwrite, skip or report (rule 3.5 row 11)
	InheritTenant     bool                `yaml:"inherit_tenant"`
	SkipRAS           bool                `yaml:"skip_ras"`
	ExpiryInNetBox    bool                `yaml:"expiry_in_netbox"`
	MaintenanceScopes []netip.Prefix      `yaml:"maintenance_scopes"` // on every server
	ExemptTag         *string             `yaml:"exempt_tag"`         // name or slug; nil: see exempt_tag in the page; empty: none
	Statuses          Statuses            `yaml:"statuses"`
	Protect           Protect             `yaml:"protect"`
	Guards            Guards              `yaml:"guards"`
	Import            Import              `yaml:"import"`
	Push              Push                `yaml:"push"`
	PSU               PSU                 `yaml:"psu"`
	Certificates      Certificates        `yaml:"certificates"`
	Status            Status              `yaml:"status"`
	History           History             `yaml:"history"`
	Servers           []Server            `yaml:"servers"`  // in the order of the file, which counts (rule 3.3)
	Failover          map[string]Failover `yaml:"failover"` // by name, or as NetBox shows it (rule 3.3 point 1)
	Overrides         Overrides           `yaml:"overrides"`
}

// Statuses is sync.statuses: values of the status of IP addresses.
type Statuses struct {
	Lease               string   `yaml:"lease"`
	Reservation         string   `yaml:"reservation"`
	PreviousLease       []string `yaml:"previous_lease"`
	PreviousReservation []string `yaml:"previous_reservation"`
}

// Protect is sync.protect.
type Protect struct {
	Tag            string `yaml:"tag"` // slug; empty: nothing is protected
	UpdateClientID bool   `yaml:"update_client_id"`
	ShowLease      bool   `yaml:"show_lease"`
}

// Guards is sync.guards (rules 3.7 guard c, 3.7 guard e and 3.7 guard g). What a
// scope, a server or a run would lose above both limits needs proof.
type Guards struct {
	MaxDeletePercent int           `yaml:"max_delete_percent"` // 0 to 100
	MaxDeleteCount   int           `yaml:"max_delete_count"`
	ConfirmAfter     time.Duration `yaml:"confirm_after"` // 0 to 168h
	KeepAssigned     bool          `yaml:"keep_assigned"`
}

// Import is sync.import.
type Import struct {
	CreateMissingPrefixes bool `yaml:"create_missing_prefixes"`
}

// Push is sync.push (rule 5.2).
type Push struct {
	ReplaceClientID bool `yaml:"replace_client_id"`
	DeleteRemoved   bool `yaml:"delete_removed"`
	PushToPartner   bool `yaml:"push_to_partner"`
	// ActivateScopes lets an edit in NetBox wake an inactive scope (rule 5.6).
	ActivateScopes bool `yaml:"activate_scopes"`
	// DeleteScopes takes scopes that were deleted in NetBox off their servers (rule 5.8).
	DeleteScopes bool          `yaml:"delete_scopes"`
	ScopeGrace   time.Duration `yaml:"scope_grace"` // before each of the two steps: 1h to 720h
}

// PSU is sync.psu: how servers are asked, through either door.
type PSU struct {
	Timeout  time.Duration `yaml:"timeout"`  // of one request
	Parallel int           `yaml:"parallel"` // requests to one server, 1 to 8
}

// History is sync.history: which Windows leases runs saw (rule 12).
type History struct {
	Keep     time.Duration `yaml:"keep"`      // after a lease was seen last; 0: there is no history
	MaxBytes int64         `yaml:"max_bytes"` // of all files of the history; the oldest days go first
}

// Certificates is sync.certificates.
type Certificates struct {
	WarnDays int `yaml:"warn_days"` // before a trusted certificate ends
}

// Status is sync.status: the status page.
type Status = shared.Status

// Server is an entry of sync.servers.
type Server struct {
	Host                 string                  `yaml:"host"`      // name or address, as written
	Transport            string                  `yaml:"transport"` // TransportPSU or TransportSSH; what belongs to the other one waits
	Port                 int                     `yaml:"port"`
	HTTPS                bool                    `yaml:"https"`
	Verify               bool                    `yaml:"verify"`
	ServerName           string                  `yaml:"server_name"` // name in the certificate; empty: Host
	TokenFile            string                  `yaml:"token_file"`
	TokenEnv             string                  `yaml:"token_env"` // name of a variable
	SSH                  SSH                     `yaml:"ssh"`
	SyncStandaloneScopes bool                    `yaml:"sync_standalone_scopes"`
	Maintenance          bool                    `yaml:"maintenance"`
	ReadOnly             bool                    `yaml:"read_only"` // nothing is pushed to it, and nothing gives way to it
	Push                 bool                    `yaml:"push"`      // false: the server wins here, as with both push modes off
	Computer             string                  `yaml:"computer"`  // name of the Windows computer; empty: as first told
	Enabled              bool                    `yaml:"enabled"`   // false: not contacted, its records are left alone
	Aliases              []string                `yaml:"aliases"`
	VRF                  string                  `yaml:"vrf"`          // name or RD; empty: global table
	ScopeVRF             map[netip.Prefix]string `yaml:"scope_vrf"`    // by subnet; wins over VRF
	ScopePrefix          map[netip.Prefix]int64  `yaml:"scope_prefix"` // by subnet: id of its prefix, where NetBox has several of one network

	EnvToken shared.Secret `yaml:"-"` // value of TokenEnv

	_ struct{} `yaml:"token" refuse:"a token is never a setting, since this file is read, copied and backed up: write it to a file of its own and name that in token_file, or name an environment variable in token_env; replace the token if others have seen this file"`
	_ struct{} `yaml:"secret" refuse:"a secret is never a setting, since this file is read, copied and backed up: write the token to a file of its own and name that in token_file, or name an environment variable in token_env"`
}

// Failover is an entry of sync.failover: what is decided here about a
// relationship that the servers report.
type Failover struct {
	Primary     string   `yaml:"primary"` // a configured server; empty: the recorded one (rule 3.3)
	Servers     []string `yaml:"servers"` // its two servers, where several pairs have the name (rule 3.3 point 1)
	SyncEnabled bool     `yaml:"sync_enabled"`
	Maintenance bool     `yaml:"maintenance"`
	AskPartner  bool     `yaml:"ask_partner"` // the partner is asked for leases, whatever else needs it

	_ struct{} `yaml:"secret" refuse:"not needed: relationships are read and never created, and no secret belongs in this file"`
	_ struct{} `yaml:"shared_secret" refuse:"not needed: relationships are read and never created, and no secret belongs in this file"`
}

// Overrides is sync.overrides, which is applied to the rest already
// (rule 7). nil: the value of the rest stays.
type Overrides struct {
	SyncIPs          *bool                     `yaml:"sync_ips_from_dhcp"`
	PushReservations *bool                     `yaml:"push_reservations"`
	PushScopeInfo    *bool                     `yaml:"push_scope_info"`
	Servers          map[string]ServerOverride `yaml:"servers"` // by host
}

// ServerOverride is an entry of sync.overrides.servers. A token here takes
// the place of both token_file and token_env of the server, and a key that of
// key_file, passphrase_file and agent.
type ServerOverride struct {
	TokenFile      string `yaml:"token_file"`
	TokenEnv       string `yaml:"token_env"`
	KeyFile        string `yaml:"key_file"`
	PassphraseFile string `yaml:"passphrase_file"` // of KeyFile, or of the server's own
	Port           *int   `yaml:"port"`            // of the door that is used
	Enabled        *bool  `yaml:"enabled"`

	_ struct{} `yaml:"token" refuse:"a token is never a setting, not even in an override: write it to a file of its own and name that in token_file, or name an environment variable in token_env"`
	_ struct{} `yaml:"secret" refuse:"a secret is never a setting, not even in an override: write the token to a file of its own and name that in token_file, or name an environment variable in token_env"`
	_ struct{} `yaml:"key" refuse:"a key is never a setting, not even in an override: name the file that holds it in key_file"`
	_ struct{} `yaml:"passphrase" refuse:"a passphrase is never a setting, not even in an override: write it to a file of its own and name that in passphrase_file"`
}

// Defaults returns the settings of an empty sync: section.
func Defaults() Sync {
	return Sync{
		Interval:       time.Hour,
		StateDir:       "/var/lib/netbox-dhcp-sync",
		Priority:       "default",
		RefreshOptions: true,
		Adopt:          "overwrite",
		InheritTenant:  true,
		Statuses:       Statuses{Lease: "dhcp", Reservation: "reserved"},
		Protect:        Protect{ShowLease: true},
		Guards:         Guards{MaxDeletePercent: 50, MaxDeleteCount: 3, ConfirmAfter: time.Hour, KeepAssigned: true},
		Import:         Import{CreateMissingPrefixes: true},
		Push:           Push{ScopeGrace: 24 * time.Hour},
		PSU:            PSU{Timeout: time.Minute, Parallel: 2},
		Certificates:   Certificates{WarnDays: 90},
		History:        History{Keep: 30 * 24 * time.Hour, MaxBytes: 1 << 30},
	}
}

// serverDefaults returns an entry of sync.servers with nothing but a host.
func serverDefaults(host string) Server {
	return Server{Host: host, Transport: TransportPSU, Port: 443, HTTPS: true, Verify: true, SSH: sshDefaults(), SyncStandaloneScopes: true, Push: true, Enabled: true}
}

// SetDefaults makes s serverDefaults, for the reader of the file.
func (s *Server) SetDefaults() { *s = serverDefaults("") }

// failoverDefaults returns an empty entry of sync.failover.
func failoverDefaults() Failover { return Failover{SyncEnabled: true} }

// SetDefaults makes s failoverDefaults, for the reader of the file.
func (s *Failover) SetDefaults() { *s = failoverDefaults() }

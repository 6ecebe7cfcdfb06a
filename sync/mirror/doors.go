package mirror

import (
	"path/filepath"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/openssh"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/psu"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/settings"
)

// certificates is the folder below the state folder that holds what operators trusted.
const certificates = "certificates"

// TrustStore is where trusted certificates are kept.
func TrustStore(f *settings.File) psu.TrustStore {
	return psu.TrustStore{Dir: filepath.Join(f.Sync.StateDir, certificates)}
}

// HostKeys are the trusted keys of a server that is asked through OpenSSH: those that
// operators trusted, or those of a file of theirs (rule 13.7).
func HostKeys(f *settings.File, s settings.Server) openssh.HostKeys {
	if s.SSH.KnownHosts != "" {
		return openssh.HostKeys{File: s.SSH.KnownHosts}
	}
	return openssh.HostKeys{File: filepath.Join(f.Sync.StateDir, certificates, "known_hosts")}
}

// OpenSSH is how a server is asked through OpenSSH.
func OpenSSH(f *settings.File, s settings.Server) openssh.Config {
	c := openssh.Config{
		Host: s.Host, Port: s.SSH.Port, User: s.SSH.User, Command: s.SSH.Command, Bound: s.SSH.Bound,
		Key:      openssh.Key{File: s.SSH.KeyFile, Passphrase: s.SSH.PassphraseFile, Agent: s.SSH.Agent},
		HostKeys: HostKeys(f, s), ReadOnly: neverWritten(f.Sync, s), Timeout: f.Sync.PSU.Timeout,
	}
	if s.SSH.KeyFile == "" {
		c.Key.Agent = true // where a command needs no key of its own, that of whoever runs it serves on the way
	}
	if jump, err := settings.ParseJump(s.SSH.Jump); err == nil && s.SSH.Jump != "" {
		c.Jump = &openssh.Jump{User: jump.User, Host: jump.Host, Port: jump.Port}
	}
	return c
}

// door is the way to a server.
func (m *Mirror) door(s settings.Server, log logrus.FieldLogger) (endpoint.Door, error) {
	if s.OverSSH() {
		return openssh.New(OpenSSH(m.File, s), log)
	}
	pin, err := m.Trust.Load(s.Host)
	if err != nil {
		return nil, err
	}
	sync := m.File.Sync
	return psu.New(psu.Config{
		Host: s.Host, Port: s.Port, HTTPS: s.HTTPS, Verify: s.Verify, ServerName: s.ServerName, Pin: pin,
		Token: func() (string, error) {
			t, err := s.Token()
			return t.Reveal(), err
		},
		Timeout: sync.PSU.Timeout, Idle: parallel(sync), WarnDays: sync.Certificates.WarnDays,
	})
}

// readOnly reports whether nothing is written to a server as the settings are.
func readOnly(sync settings.Sync, s settings.Server) bool {
	return sync.DryRun || neverWritten(sync, s)
}

// neverWritten leaves sync.dry_run out, which has to plan as a run without it would: the
// server must not be met with a script that only reads (rules 13.4 and 13.9).
func neverWritten(sync settings.Sync, s settings.Server) bool {
	return s.ReadOnly || !s.Push || sync.ReadOnly || !sync.PushReservations && !sync.PushScopeInfo
}

// parallel is how many requests one server gets at once
// (rule 9 row 29).
func parallel(s settings.Sync) int {
	if s.Priority == "low" {
		return 1
	}
	return s.PSU.Parallel
}

// visits counts who asks servers. The last to leave ends what is open there, so that no
// PowerShell waits on a server between two runs (rule 13.1).
type visits struct {
	mu    sync.Mutex // held while the last one ends it all: who comes then opens anew
	count int
}

func (v *visits) enter() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.count++
}

func (v *visits) leave(last func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.count--; v.count == 0 {
		last()
	}
}

// visit says that servers are asked from now on; call leave when that is over.
func (m *Mirror) visit() (leave func()) {
	m.visits.enter()
	return func() { m.visits.leave(m.closeServers) }
}

// closeServers ends the sessions and idle connections of all servers, at once. They
// open again when they are asked.
func (m *Mirror) closeServers() {
	var group sync.WaitGroup
	for _, c := range m.servers {
		if c != nil {
			group.Go(c.Close)
		}
	}
	group.Wait()
}

package settings

import (
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

// Status is netbox.status and sync.status: the status page of a program.
type Status struct {
	Listen string `yaml:"listen"` // host:port, or unix:/path for a proxy that is the login; empty: no page
	URL    string `yaml:"url"`    // how people reach it, without a slash at the end; empty: no links to it

	TokenFile       string `yaml:"token_file"`       // what people and scripts log in with; empty: no buttons
	CertificateFile string `yaml:"certificate_file"` // PEM, of this page; with KeyFile
	KeyFile         string `yaml:"key_file"`
	Probes          string `yaml:"probes"` // host:port of /healthz, /readyz and /metrics without a token; empty: none
}

// Token is what people and scripts log in with, read at each call; empty without
// TokenFile.
func (s Status) Token() (Secret, error) {
	if s.TokenFile == "" {
		return "", nil
	}
	return ReadToken("token of the status page", s.TokenFile)
}

// Socket is the path of the unix socket that the page listens at; empty: it does
// not.
func (s Status) Socket() string {
	path, ok := strings.CutPrefix(s.Listen, "unix:")
	if !ok {
		return ""
	}
	return path
}

// Validate reports what makes no sense in the section key. example is an address at
// which people might reach the page.
func (s Status) Validate(r *strictyaml.Report, key, example string) {
	for at, listen := range map[string]string{key + ".listen": s.Listen, key + ".probes": s.Probes} {
		if listen == "" || at == key+".listen" && filepath.IsAbs(s.Socket()) {
			continue
		}
		host, port, err := net.SplitHostPort(listen)
		_, portErr := strconv.ParseUint(port, 10, 16)
		if err != nil || portErr != nil || !mayListen(host) {
			r.Addf(at, "want an address and a port such as 127.0.0.1:8067, not %.60q", listen)
		}
	}
	if s.URL == "" {
		return
	}
	u, err := url.Parse(s.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		r.Addf(key+".url", "want an address such as %s, without user, ? and #", example)
	}
}

// mayListen reports whether a host is none, an address or a name.
func mayListen(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789.-_") == ""
}

// Warnings are what is set to no use, by key.
func (s Status) Warnings(key string) (list [][2]string) {
	if (s.CertificateFile == "") != (s.KeyFile == "") {
		list = append(list, [2]string{key + ".certificate_file", "does nothing without key_file, nor that one without it"})
	}
	if s.URL != "" && s.Listen == "" {
		list = append(list, [2]string{key + ".url", "leads nowhere while " + key + ".listen is empty"})
	}
	return list
}

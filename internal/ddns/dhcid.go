package ddns

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/miekg/dns"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// Types of the identifier in DHCID, RFC 4701 section 3.3.
const (
	byHardware   = 0
	byIdentifier = 1
	byDUID       = 2
)

const (
	// ethernet is the hardware type in front of a hardware address.
	ethernet = 1
	// identifierPrefix begins the keys of clients that are told by their identifiers (I-11).
	identifierPrefix = "id/"
	// nodeSpecific is the type of an identifier that holds a DUID, after four bytes that
	// tell interfaces apart (RFC 4361 section 6.1).
	nodeSpecific, ahead = 255, 5
	// digestSHA256 is the one type of digest.
	digestSHA256 = 1
)

var errNoIdentifier = errors.New("neither a hardware address nor a client identifier is known")

// DHCID returns what tells the client of a name in DNS apart from others, in base64
// (RFC 4701). The hardware address counts, so that firmware and system of one machine
// agree; with identifiers, and where there is no hardware address, the identifier
// (DNS-10).
func DHCID(client, hardware lease.ClientID, identifiers bool, name string) (string, error) {
	text, identified := strings.CutPrefix(string(client), identifierPrefix)
	kind := byHardware
	switch {
	case identified && identifiers, identified && hardware == "":
		kind = byIdentifier
	case identified:
		text = string(hardware)
	}
	id, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || len(id) == 0 {
		return "", errNoIdentifier
	}
	if kind == byHardware && len(id) != 6 { // option 61 of a client without a hardware address
		kind = byIdentifier
	}
	switch {
	case kind == byHardware:
		id = append([]byte{ethernet}, id...)
	case id[0] == nodeSpecific && len(id) > ahead:
		kind, id = byDUID, id[ahead:]
	}
	wire := make([]byte, 256)
	n, err := dns.PackDomainName(fqdn(name), wire, 0, nil, false)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256(append(id, wire[:n]...))
	return base64.StdEncoding.EncodeToString(append([]byte{0, byte(kind), digestSHA256}, digest[:]...)), nil
}

package prepare

import (
	_ "embed"
	"encoding/json"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// example is the DHCP part of the example context, that of phones in
// docs/options-from-netbox.md: go test ./test/options -update.
//
//go:embed example.json
var example []byte

// Example needs a config context that shows how phones get their options, with
// its data under key, and the tag that it is limited to. It is made inactive, and
// one that exists is left as it is: no client gets anything of it before an
// operator has put in the addresses of the site and activated it.
func Example(key string) []Need {
	const name, slug = "DHCP options (example)", "dhcp-example"
	data, err := json.Marshal(map[string]json.RawMessage{key: example})
	if err != nil {
		panic(err) // the file is part of the program, and tests read it
	}
	return []Need{
		Tag{Slug: slug, Description: "Prefixes whose clients are told what the example context says", On: []netbox.Table{netbox.Prefixes}},
		Contexts{Prefix: name, Tag: slug, List: []Context{{
			Name: name, Description: "Options for phones, see options-from-netbox.md; inactive until its addresses are yours", Data: data, Inactive: true,
		}}},
	}
}

package pxe_test

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// TestContextsOfTheREADMEAreUnderstood reads each config context that the README shows.
func TestContextsOfTheREADMEAreUnderstood(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```json\n(.*?)^```").FindAllSubmatch(page, -1)
	if len(blocks) < 7 {
		t.Errorf("%d contexts found", len(blocks))
	}
	for _, block := range blocks {
		var data map[string]json.RawMessage
		if err := json.Unmarshal(block[1], &data); err != nil {
			t.Errorf("%v in\n%s", err, block[1])
			continue
		}
		config, problems := ipam.ParseConfig(data["pydhcp_configuration"])
		if len(problems) > 0 || config.TFTPServer == "" {
			t.Errorf("%q in\n%s", problems, block[1])
		}
	}
}

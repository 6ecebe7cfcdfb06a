package instance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// H-4, B-8: the last answer of NetBox counts for three polls, and for the time that the
// answer to the third may take: else a NetBox that answers slowly, but within its time,
// would be out of reach between two polls.
func TestAnAnswerCountsForThreePollsAndATimeout(t *testing.T) {
	for _, c := range []struct{ interval, timeout, want time.Duration }{
		{30 * time.Second, 10 * time.Second, 100 * time.Second},
		{time.Second, 10 * time.Second, 13 * time.Second},
		{5 * time.Minute, time.Second, 15*time.Minute + time.Second},
	} {
		s := settings.NetBox{Timeout: c.timeout}
		s.Poll.Interval = c.interval
		if got := confirmedWithin(s); got != c.want || policy(s).RefuseWithin != c.want {
			t.Errorf("a poll each %s, a time-out of %s: %s and %s, want %s", c.interval, c.timeout, got, policy(s).RefuseWithin, c.want)
		}
	}
}

// B-8
func TestAServerThatKnowsNothingYetIsNotReady(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"token":      "0123456789abcdef0123456789abcdef01234567",
		"config.yml": "server4:\n  plugins:\n    - server_id: 10.0.0.2\n    - netbox: config.yml\nnetbox:\n  url: http://127.0.0.1:1\n  token_file: token\n  store: {path: state}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log, _ := test.NewNullLogger()
	pool := new(Pool)
	defer func() { _ = pool.Close() }()
	i, err := pool.Join(filepath.Join(dir, "config.yml"), log)
	if err != nil {
		t.Fatal(err)
	}
	if reasons := i.NotReady(); len(reasons) != 1 || !strings.Contains(reasons[0], "nothing is known of NetBox yet") {
		t.Errorf("got %q", reasons)
	}
	families, err := i.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		switch f.GetName() {
		case "coredhcp_netbox_netbox_reachable", "coredhcp_netbox_ready", "coredhcp_netbox_store_failed":
			if v := f.GetMetric()[0].GetGauge().GetValue(); v != 0 {
				t.Errorf("%s is %v", f.GetName(), v)
			}
		}
	}
}

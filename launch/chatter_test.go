package launch

import (
	"testing"

	"github.com/sirupsen/logrus"
)

// B-12
func TestCoreDHCPsLoaderIsQuietUnlessTheLogIsForDebugging(t *testing.T) {
	for name, c := range map[string]struct {
		prefix     string
		level, log logrus.Level
		written    bool
	}{
		"each plugin that is registered":      {"plugins", logrus.InfoLevel, logrus.InfoLevel, false},
		"each plugin that is found":           {"config", logrus.InfoLevel, logrus.InfoLevel, false},
		"its warnings":                        {"plugins", logrus.WarnLevel, logrus.InfoLevel, true},
		"its errors":                          {"config", logrus.ErrorLevel, logrus.InfoLevel, true},
		"a plugin of ours":                    {"plugins/netbox", logrus.InfoLevel, logrus.InfoLevel, true},
		"the program":                         {"main", logrus.InfoLevel, logrus.InfoLevel, true},
		"each plugin, in a log for debugging": {"plugins", logrus.InfoLevel, logrus.DebugLevel, true},
	} {
		log := logrus.New()
		log.SetLevel(c.log)
		line, err := withoutChatter{}.Format(&logrus.Entry{Logger: log, Level: c.level, Data: logrus.Fields{"prefix": c.prefix}})
		if written := len(line) > 0; err != nil || written != c.written {
			t.Errorf("%s: written %v, %v", name, written, err)
		}
	}
}

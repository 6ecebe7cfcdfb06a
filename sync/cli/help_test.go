package cli

import (
	"io"
	"testing"

	"github.com/sirupsen/logrus"
)

// discard is a log nobody reads.
func discard(t *testing.T) logrus.FieldLogger {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

package decide

import (
	"flag"
	"os"
	"testing"
)

// TestMain tells the same stories in every run, so that a red one is about the
// change and not about luck; make fuzz tells others, and -rapid.seed any.
func TestMain(m *testing.M) {
	flag.Parse()
	if seed := flag.Lookup("rapid.seed"); seed.Value.String() == "0" {
		if err := seed.Value.Set("1122"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

package decide

import (
	"flag"
	"os"
	"testing"
)

// TestMain tells the same stories in every run, so that a red one is about the
// change and not about luck; make fuzz tells others, and -rapid.seed any. Under the
// race detector it tells few: a plan is made without a second goroutine, and each story
// takes ten times as long.
func TestMain(m *testing.M) {
	flag.Parse()
	instead("rapid.seed", "1122")
	if raceDetector {
		instead("rapid.checks", "20")
	}
	os.Exit(m.Run())
}

// instead gives a flag another value where none was given.
func instead(name, value string) {
	f := flag.Lookup(name)
	if f.Value.String() != f.DefValue {
		return
	}
	if err := f.Value.Set(value); err != nil {
		panic(err)
	}
}

package launch

import (
	"runtime"
	"testing"
)

func TestAServerReadsPacketsWhileTheDiskWrites(t *testing.T) {
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	useTwoThreads()
	if n := runtime.GOMAXPROCS(0); n != 2 {
		t.Errorf("%d on one processor, want 2", n)
	}
	runtime.GOMAXPROCS(3)
	useTwoThreads()
	if n := runtime.GOMAXPROCS(0); n != 3 {
		t.Errorf("%d where there were 3", n)
	}
}

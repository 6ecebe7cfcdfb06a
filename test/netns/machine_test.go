//go:build linux

package netns_test

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

func TestAComputerWithoutServersSaysSoAndItsFramesAreKept(t *testing.T) {
	network := netns.New(t, "qemu-system-x86_64")
	mac := net.HardwareAddr{0x02, 0, 0, 0, 0, 0x77}
	machine, err := network.Segment("lan").PowerOn(netns.SeaBIOS(), mac)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := machine.WaitOutput(ctx, "Configuring (net0 "+mac.String()); err != nil {
		t.Fatal(err)
	}
	// Its DISCOVERs come while it says that; no server of the test's network answers them.
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for ; ctx.Err() == nil; <-tick.C {
		for _, frame := range machine.Frames() {
			if bytes.Equal(frame.Data[6:12], mac) && bytes.HasPrefix(frame.Data, []byte("\xff\xff\xff\xff\xff\xff")) {
				if err := machine.Stop(); err != nil {
					t.Fatal(err)
				}
				return
			}
		}
	}
	t.Errorf("no DISCOVER in %d frames", len(machine.Frames()))
}

//go:build linux

package netns

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// Frame is an Ethernet frame and when it was seen.
type Frame struct {
	At   time.Time
	Data []byte // with the Ethernet header, without the check sequence
}

// Capture keeps the frames that pass an interface, both ways, until the test ends.
type Capture struct {
	mu     sync.Mutex
	frames []Frame
}

// Capture starts to keep the frames that pass an interface.
func (ns *Namespace) Capture(ifname string) (*Capture, error) {
	var conn *packet.Conn
	err := ns.Do(func() error {
		card, err := net.InterfaceByName(ifname)
		if err != nil {
			return err
		}
		conn, err = packet.Listen(card, packet.Raw, unix.ETH_P_ALL, nil)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("capture on %s: %w", ifname, err)
	}
	c := new(Capture)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.read(conn)
	}()
	ns.t.Cleanup(func() {
		conn.Close()
		<-ended
	})
	return c, nil
}

func (c *Capture) read(conn *packet.Conn) {
	buf := make([]byte, 65536)
	for {
		n, _, err := conn.ReadFrom(buf)
		if errors.Is(err, unix.ENETDOWN) {
			continue // told once each time the interface goes down
		}
		if err != nil {
			return // closed, or the interface is gone
		}
		c.mu.Lock()
		c.frames = append(c.frames, Frame{At: time.Now(), Data: slices.Clone(buf[:n])})
		c.mu.Unlock()
	}
}

// Frames are the frames seen so far, in their order.
func (c *Capture) Frames() []Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.frames)
}

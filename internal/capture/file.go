// Package capture reads files of packets, pcap and pcapng, and finds the DHCPv4
// messages in their frames. It takes from a file no more memory than one frame needs,
// whatever the file says, and holds up a damaged one to the damage. It must not judge
// what a message means.
package capture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// Frame is one packet as it was seen.
type Frame struct {
	At    time.Time // zero: the file does not tell
	Link  Link      // what it begins with
	Bytes []byte    // good until the next one is read
	Cut   bool      // it was longer on the wire
}

// ErrFormat says that something is no capture in a format that is read here.
var ErrFormat = errors.New("not a pcap or pcapng file")

// DamagedError says where a file stops making sense.
type DamagedError struct {
	Frame int // how many frames were read before
	Text  string
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("damaged after %d frames: %s", e.Frame, e.Text)
}

// maxFrame is the longest frame that capture programs write.
const maxFrame = 256 << 10

// File reads the frames of one file in their order.
type File struct {
	in     *bufio.Reader
	order  binary.ByteOrder
	next   func() (Frame, error)
	frames int
	buffer []byte

	link  Link // of a pcap file
	tick  time.Duration
	ports []portOf // of the section of a pcapng file
}

// portOf is an interface of a pcapng file.
type portOf struct {
	link   Link
	limit  uint32 // bytes kept of a frame; 0: all
	second uint64 // units of its time stamps in a second
	offset int64  // seconds to be added
}

// Open begins to read a file. The error wraps ErrFormat where it is none.
func Open(r io.Reader) (*File, error) {
	f := &File{in: bufio.NewReaderSize(r, 64<<10)}
	magic, err := f.in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the capture: %w", err)
	}
	if len(magic) < 4 {
		return nil, ErrFormat
	}
	switch binary.BigEndian.Uint32(magic) {
	case 0xa1b2c3d4:
		return f, f.openPcap(binary.BigEndian, time.Microsecond)
	case 0xd4c3b2a1:
		return f, f.openPcap(binary.LittleEndian, time.Microsecond)
	case 0xa1b23c4d:
		return f, f.openPcap(binary.BigEndian, time.Nanosecond)
	case 0x4d3cb2a1:
		return f, f.openPcap(binary.LittleEndian, time.Nanosecond)
	case sectionBlock:
		f.order, f.next = binary.LittleEndian, f.nextBlock
		return f, nil
	}
	return nil, ErrFormat
}

// Next returns the next frame; io.EOF: there is none; a *DamagedError: what follows
// cannot be read.
func (f *File) Next() (Frame, error) {
	frame, err := f.next()
	if err == nil {
		f.frames++
	}
	return frame, err
}

func (f *File) damaged(format string, args ...any) error {
	return &DamagedError{f.frames, fmt.Sprintf(format, args...)}
}

// read returns the next n bytes, which the next read takes over.
func (f *File) read(n int) ([]byte, error) {
	if cap(f.buffer) < n {
		f.buffer = make([]byte, n)
	}
	b := f.buffer[:n]
	switch _, err := io.ReadFull(f.in, b); {
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, f.damaged("the file ends in the middle of a frame")
	case err != nil:
		return nil, fmt.Errorf("read the capture: %w", err)
	}
	return b, nil
}

// readRest is read where the end of the file is damage.
func (f *File) readRest(n int) ([]byte, error) {
	b, err := f.read(n)
	if errors.Is(err, io.EOF) {
		err = f.damaged("the file ends in the middle of a frame")
	}
	return b, err
}

// openPcap reads the header of the classic format.
func (f *File) openPcap(order binary.ByteOrder, tick time.Duration) error {
	const header = 24
	b, err := f.read(header)
	if err != nil {
		return fmt.Errorf("%w: its header is cut off", ErrFormat)
	}
	f.order, f.tick, f.next = order, tick, f.nextRecord
	f.link = Link(order.Uint32(b[20:]) & 0xffff)
	return nil
}

func (f *File) nextRecord() (Frame, error) {
	const header = 16
	b, err := f.read(header)
	if err != nil {
		return Frame{}, err
	}
	seconds, part := f.order.Uint32(b), f.order.Uint32(b[4:])
	kept, length := f.order.Uint32(b[8:]), f.order.Uint32(b[12:])
	if kept > maxFrame {
		return Frame{}, f.damaged("a frame of %d bytes", kept)
	}
	at := time.Unix(int64(seconds), 0).Add(time.Duration(part) * f.tick).UTC()
	if b, err = f.readRest(int(kept)); err != nil {
		return Frame{}, err
	}
	return Frame{At: at, Link: f.link, Bytes: b, Cut: kept < length}, nil
}

// Blocks of a pcapng file.
const (
	sectionBlock   = 0x0a0d0d0a
	interfaceBlock = 1
	simpleBlock    = 3
	enhancedBlock  = 6
)

// maxBlock is the longest block that is looked into; others are passed over.
const maxBlock = maxFrame + 64<<10

// nextBlock reads blocks up to the next one with a frame.
func (f *File) nextBlock() (Frame, error) {
	for {
		kind, body, err := f.block()
		if err != nil {
			return Frame{}, err
		}
		switch kind {
		case interfaceBlock:
			if err := f.addPort(body); err != nil {
				return Frame{}, err
			}
		case enhancedBlock:
			return f.enhanced(body)
		case simpleBlock:
			return f.simple(body)
		}
	}
}

// block reads one block, whose length stands before and behind it. Of one that holds
// no frame and no interface the body is passed over.
func (f *File) block() (kind uint32, body []byte, err error) {
	head, err := f.read(8)
	if err != nil {
		return 0, nil, err
	}
	kind = binary.BigEndian.Uint32(head)
	if kind == sectionBlock { // its name is the same both ways round; what follows tells the order
		mark, err := f.in.Peek(4)
		if err != nil {
			return 0, nil, f.damaged("the file ends in a section header")
		}
		f.order, f.ports = binary.LittleEndian, nil
		if binary.BigEndian.Uint32(mark) == 0x1a2b3c4d {
			f.order = binary.BigEndian
		}
	}
	kind = f.order.Uint32(head)
	size := f.order.Uint32(head[4:])
	if size < 12 || size%4 != 0 {
		return 0, nil, f.damaged("a block of %d bytes", size)
	}
	rest := size - 8
	if kind != interfaceBlock && kind != enhancedBlock && kind != simpleBlock {
		if n, err := io.CopyN(io.Discard, f.in, int64(rest)); err != nil {
			return 0, nil, f.damaged("the file ends in a block, %d bytes early", int64(rest)-n)
		}
		return kind, nil, nil
	}
	if rest > maxBlock {
		return 0, nil, f.damaged("a block of %d bytes", size)
	}
	if body, err = f.readRest(int(rest)); err != nil {
		return 0, nil, err
	}
	return kind, body[:rest-4], nil
}

// addPort takes note of an interface. Its options say what its time stamps count.
func (f *File) addPort(body []byte) error {
	const fixed, resolution, offset, maxPorts = 8, 9, 14, 4096
	if len(body) < fixed || len(f.ports) == maxPorts {
		return f.damaged("an interface that makes no sense")
	}
	p := portOf{link: Link(f.order.Uint16(body)), limit: f.order.Uint32(body[4:]), second: 1e6}
	for options := body[fixed:]; len(options) >= 4; {
		code, size := f.order.Uint16(options), int(f.order.Uint16(options[2:]))
		padded := (size + 3) &^ 3
		if code == 0 || len(options) < 4+padded {
			break
		}
		value := options[4 : 4+size]
		switch {
		case code == resolution && size == 1:
			p.second = unitsInSecond(value[0])
		case code == offset && size == 8:
			p.offset = int64(f.order.Uint64(value)) //nolint:gosec // G115: the format has a signed number there
		}
		options = options[4+padded:]
	}
	f.ports = append(f.ports, p)
	return nil
}

// unitsInSecond is 10 to the given power, or 2 with the highest bit set; of what is
// out of range the usual microseconds.
func unitsInSecond(code byte) uint64 {
	power := code & 0x7f
	switch {
	case code&0x80 != 0 && power < 63:
		return 1 << power
	case code&0x80 == 0 && power <= 18:
		return uint64(math.Pow10(int(power)))
	}
	return 1e6
}

// at is the moment of a time stamp.
func (p portOf) at(stamp uint64) time.Time {
	seconds, rest := stamp/p.second, stamp%p.second
	nanoseconds := float64(rest) / float64(p.second) * 1e9
	if p.second <= 1e9 { // exact
		nanoseconds = float64(rest * (1e9 / p.second))
	}
	return time.Unix(int64(seconds%(1<<40))+p.offset%(1<<40), int64(nanoseconds)).UTC()
}

func (f *File) enhanced(body []byte) (Frame, error) {
	const fixed = 20
	if len(body) < fixed {
		return Frame{}, f.damaged("a frame without its header")
	}
	number, kept, length := f.order.Uint32(body), f.order.Uint32(body[12:]), f.order.Uint32(body[16:])
	if int64(number) >= int64(len(f.ports)) {
		return Frame{}, f.damaged("a frame of interface %d, which the file does not describe", number)
	}
	if int64(kept) > int64(len(body)-fixed) {
		return Frame{}, f.damaged("a frame that is longer than its block")
	}
	p := f.ports[number]
	stamp := uint64(f.order.Uint32(body[4:]))<<32 | uint64(f.order.Uint32(body[8:]))
	return Frame{At: p.at(stamp), Link: p.link, Bytes: body[fixed : fixed+int(kept)], Cut: kept < length}, nil
}

// simple reads a frame that has no time.
func (f *File) simple(body []byte) (Frame, error) {
	const fixed = 4
	if len(body) < fixed || len(f.ports) == 0 {
		return Frame{}, f.damaged("a frame without an interface")
	}
	length := f.order.Uint32(body)
	kept := min(int64(length), int64(len(body)-fixed))
	if limit := f.ports[0].limit; limit > 0 {
		kept = min(kept, int64(limit))
	}
	return Frame{Link: f.ports[0].link, Bytes: body[fixed : fixed+kept], Cut: kept < int64(length)}, nil
}

package bootfiles

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
)

// Opcodes, RFC 1350 section 5 and RFC 2347.
const (
	opRead  = 1
	opWrite = 2
	opData  = 3
	opAck   = 4
	opError = 5
	opOack  = 6
)

// Error codes, RFC 1350 section 5.
const (
	codeOther    = 0
	codeNotFound = 1
	codeAccess   = 2
	codeIllegal  = 4
)

const (
	headerSize = 4
	// defaultBlock is the size of a block nothing was agreed on.
	defaultBlock = 512
	minBlock     = 8 // RFC 2348
	// maxBlock is what fits into an Ethernet frame: many a boot ROM cannot put
	// fragments together.
	maxBlock = 1468
	// maxWindow bounds what is sent between two acknowledgements to 47 kB, and
	// with it the memory of a transfer (RFC 7440).
	maxWindow = 32
	// maxInterval is the longest time between retransmissions a client may ask
	// for, in seconds; RFC 2349 allows 255, which would hold slots too long.
	maxInterval = 10
)

var errNotRequest = errors.New("not a TFTP request")

// option is a name and a value as on the wire.
type option struct{ name, value string }

// readRequest is a parsed RRQ or WRQ.
type readRequest struct {
	write   bool
	name    string
	ascii   bool // netascii; else octet
	known   bool // the mode is one of these two
	options []option
}

// parseRequest reads a request. What follows the last whole option is ignored:
// some firmware pads.
func parseRequest(b []byte) (readRequest, error) {
	if len(b) < 2 {
		return readRequest{}, errNotRequest
	}
	op := binary.BigEndian.Uint16(b)
	name, rest, ok := bytes.Cut(b[2:], []byte{0})
	mode, rest, ok2 := bytes.Cut(rest, []byte{0})
	if op != opRead && op != opWrite || !ok || !ok2 {
		return readRequest{}, errNotRequest
	}
	r := readRequest{write: op == opWrite, name: string(name)}
	switch strings.ToLower(string(mode)) {
	case "octet":
		r.known = true
	case "netascii":
		r.known, r.ascii = true, true
	}
	for {
		name, after, ok := bytes.Cut(rest, []byte{0})
		value, after, ok2 := bytes.Cut(after, []byte{0})
		if !ok || !ok2 {
			return r, nil
		}
		r.options = append(r.options, option{strings.ToLower(string(name)), string(value)})
		rest = after
	}
}

// terms are what client and server agree on for one transfer.
type terms struct {
	block    int // bytes
	window   int // blocks
	interval int // seconds between retransmissions; 0: the server's own
	accepted []option
}

// agree answers the options of a request for a file of the given size; what is
// unknown, malformed or asked twice is left out, as RFC 2347 wants it. The size
// of a text is not known before it was converted.
func (r readRequest) agree(size int64) terms {
	t := terms{block: defaultBlock, window: 1}
	seen := make(map[string]bool)
	for _, o := range r.options {
		n, err := strconv.ParseUint(o.value, 10, 31)
		if err != nil || seen[o.name] {
			continue
		}
		seen[o.name] = true
		switch {
		case o.name == "blksize" && n >= minBlock:
			t.block = int(min(n, maxBlock))
			o.value = strconv.Itoa(t.block)
		case o.name == "windowsize" && n >= 1:
			t.window = int(min(n, maxWindow))
			o.value = strconv.Itoa(t.window)
		case o.name == "timeout" && n >= 1 && n <= maxInterval:
			t.interval = int(n)
		case o.name == "tsize" && !r.ascii:
			o.value = strconv.FormatInt(size, 10)
		default:
			continue
		}
		t.accepted = append(t.accepted, o)
	}
	return t
}

// oack is the packet that tells the client what was accepted.
func oack(accepted []option) []byte {
	b := []byte{0, opOack}
	for _, o := range accepted {
		b = append(append(b, o.name...), 0)
		b = append(append(b, o.value...), 0)
	}
	return b
}

// errorPacket ends a transfer. Its text is ours: nothing a sender wrote comes
// back.
func errorPacket(code byte, text string) []byte {
	return append(append([]byte{0, opError, 0, code}, text...), 0)
}

// reply is what a client sends during a transfer.
type reply struct {
	ack   bool
	block uint16
	fault string // what an ERROR says; only with !ack
}

// parseReply reads an ACK or ERROR; anything else is not ok.
func parseReply(b []byte) (r reply, ok bool) {
	if len(b) < headerSize {
		return r, false
	}
	number := binary.BigEndian.Uint16(b[2:])
	switch binary.BigEndian.Uint16(b) {
	case opAck:
		return reply{ack: true, block: number}, true
	case opError:
		text, _, _ := bytes.Cut(b[headerSize:], []byte{0})
		return reply{fault: strconv.Itoa(int(number)) + " " + quoted(string(text))}, true
	}
	return r, false
}

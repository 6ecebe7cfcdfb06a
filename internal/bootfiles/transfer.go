package bootfiles

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/pin/tftp/v3/netascii"
	"golang.org/x/sys/unix"
)

const (
	// maxDuration bounds a transfer whose client is alive but in no hurry.
	maxDuration = time.Hour
	replySize   = 512
)

// Why the client's part of a transfer failed.
var (
	errSilent = errors.New("no answer from the client")
	errGone   = errors.New("the client's port is closed")
)

// clientFault is an ERROR from the client. Many ask for the size of a file
// first and refuse it when they know.
type clientFault string

func (e clientFault) Error() string { return "the client says: " + string(e) }

// transfer sends one file to one client that has acknowledged a first packet.
type transfer struct {
	asked   request
	request readRequest
	client  netip.AddrPort
	second  time.Duration
	slot    *slot
	cancel  context.CancelCauseFunc

	conn  *net.UDPConn
	file  fileState // the file as the client was promised it
	terms terms
	begun bool  // the first packet was the first block, and the client has it
	taken int64 // bytes of the file it has acknowledged
}

// send sends the file; it returns when the client has all of it or the transfer
// has failed.
func (t *transfer) send(ctx context.Context, file *content) (outcome, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, maxDuration, errTooLong)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		_ = t.conn.SetReadDeadline(time.Unix(1, 0)) // fails only if closed, which ends reading too
	})()
	var source io.Reader = file
	if t.request.ascii {
		source = netascii.ToReader(file)
	}
	err := errChanged
	if t.file.same(file) {
		err = t.blocks(ctx, source)
	}
	o := t.outcome(err)
	if text := farewell(o); text != "" {
		_, _ = t.conn.Write(errorPacket(codeOther, text)) // a courtesy
	}
	return o, err
}

// blocks sends the file in windows of blocks. An acknowledgement inside the
// window begins the next one after it (RFC 7440 section 4). Block numbers go
// from 65535 on to 0, as every client for large files expects.
func (t *transfer) blocks(ctx context.Context, source io.Reader) error {
	var window, spare [][]byte // packets the client may lack; buffers for more
	first, next, last := uint16(1), uint16(1), false
	for {
		for !last && len(window) < t.terms.window {
			var b []byte
			if n := len(spare); n > 0 {
				b, spare = spare[n-1], spare[:n-1]
			} else {
				b = make([]byte, headerSize+t.terms.block)
			}
			b = b[:headerSize+t.terms.block]
			n, err := io.ReadFull(source, b[headerSize:])
			if last = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); err != nil && !last {
				return err
			}
			binary.BigEndian.PutUint16(b, opData)
			binary.BigEndian.PutUint16(b[2:], next)
			window = append(window, b[:headerSize+n])
			next++
		}
		n, err := 1, error(nil)
		if !t.begun || first != 1 || t.taken > 0 {
			n, err = t.exchange(ctx, first, window)
		}
		for _, b := range window[:n] {
			t.taken += int64(len(b) - headerSize)
		}
		if err != nil {
			return err
		}
		spare = append(spare, window[:n]...)
		window = append(window[:0], window[n:]...)
		first += uint16(n)
		if last && len(window) == 0 {
			return nil
		}
	}
}

// exchange sends packets, of which the first has the given number, until the
// client acknowledges some, and returns how many.
func (t *transfer) exchange(ctx context.Context, first uint16, packets [][]byte) (int, error) {
	for _, patience := range t.patience() {
		for _, p := range packets {
			if _, err := t.conn.Write(p); errors.Is(err, syscall.ECONNREFUSED) {
				return 0, errGone
			} else if err != nil && !errors.Is(err, unix.ENOBUFS) { // as good as lost on the way
				return 0, fmt.Errorf("send: %w", err)
			}
		}
		n, err := t.await(ctx, first, len(packets), time.Now().Add(patience))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
	return 0, errSilent
}

// await waits for an acknowledgement of one of count packets. One of the packet
// before them is no reason to send again: two of these, answered, would double
// every packet to the end (RFC 1123 section 4.2.3.1).
func (t *transfer) await(ctx context.Context, first uint16, count int, until time.Time) (int, error) {
	var buf [replySize]byte
	for {
		if err := t.conn.SetReadDeadline(until); err != nil {
			return 0, err
		}
		if ctx.Err() != nil { // before this the deadline of its end may have been overwritten
			return 0, context.Cause(ctx)
		}
		size, err := t.conn.Read(buf[:])
		switch {
		case ctx.Err() != nil:
			return 0, context.Cause(ctx)
		case errors.Is(err, syscall.ECONNREFUSED):
			return 0, errGone
		case err != nil:
			return 0, err
		}
		r, ok := parseReply(buf[:size])
		switch n := int(r.block - first + 1); {
		case !ok:
		case !r.ack:
			return 0, clientFault(r.fault)
		case n >= 1 && n <= count:
			return n, nil
		}
	}
}

// patience is how long to wait after each sending.
func (t *transfer) patience() []time.Duration {
	s := t.second
	if own := time.Duration(t.terms.interval) * s; own > 0 {
		return []time.Duration{own, own, own, own, own}
	}
	return []time.Duration{s, 2 * s, 4 * s, 4 * s, 4 * s, 4 * s}
}

func (t *transfer) outcome(err error) outcome {
	var fault clientFault
	switch {
	case err == nil:
		return complete
	case errors.Is(err, errReplaced):
		return replaced
	case errors.Is(err, errStopped):
		return stopped
	case errors.As(err, &fault), errors.Is(err, errGone):
		return aborted
	case errors.Is(err, errSilent), errors.Is(err, errTooLong):
		return timedOut
	case errors.Is(err, errChanged):
		return changed
	}
	return failed
}

// farewell is what the client is told of an end that is not its own doing.
func farewell(o outcome) string {
	switch o {
	case stopped:
		return "the server stops"
	case changed:
		return "the file changed"
	case failed:
		return "cannot read the file"
	}
	return ""
}

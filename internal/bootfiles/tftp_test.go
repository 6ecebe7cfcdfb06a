package bootfiles

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pin/tftp/v3"
)

// RFC 1350, 2348, 7440: every length around a block, at several block and
// window sizes.
func TestTFTPSendsFilesOfEveryLength(t *testing.T) {
	r := serve(t, nil, nil)
	for _, n := range []int{0, 1, 511, 512, 513, 1024, 1467, 1468, 1469, 100_000} {
		content := noise(n)
		put(t, r.dir, fmt.Sprint(n), content)
		for name, options := range map[string][]string{
			"plain":             nil,
			"the smallest":      {"blksize", "8"},
			"the usual":         {"tsize", "0", "blksize", "1432"},
			"with a window":     {"blksize", "512", "windowsize", "4"},
			"more than allowed": {"blksize", "65464", "windowsize", "64", "tsize", "0"},
		} {
			got, accepted, err := newClient(t, r.TFTPAddr(), "").get(fmt.Sprint(n), "octet", options...)
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d bytes, %s: %d bytes, %v", n, name, len(got), err)
			}
			if size, ok := accepted["tsize"]; ok && size != fmt.Sprint(n) {
				t.Errorf("%d bytes, %s: tsize %s", n, name, size)
			}
		}
	}
}

// Block numbers begin again at 0.
func TestTFTPSendsMoreThan65535Blocks(t *testing.T) {
	content := noise(8*70_000 + 3)
	r := serve(t, map[string][]byte{"a": content}, nil)
	got, _, err := newClient(t, r.TFTPAddr(), "").get("a", "octet", "blksize", "8", "windowsize", "32")
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// RFC 7440 section 4: what is lost is sent again, and the rest of its window.
func TestTFTPLossesAreMadeGood(t *testing.T) {
	content := noise(30_000)
	r := serveAt(t, pace{second: 400 * time.Millisecond, drain: patience}, map[string][]byte{"a": content}, nil)
	for name, lose := range map[string]func(uint16, int) bool{
		"the first block":             func(n uint16, before int) bool { return n == 1 && before == 0 },
		"the last block":              func(n uint16, before int) bool { return n == 59 && before == 0 },
		"every seventh, once":         func(n uint16, before int) bool { return n%7 == 0 && before == 0 },
		"one, three times":            func(n uint16, before int) bool { return n == 20 && before < 3 },
		"a whole window":              func(n uint16, before int) bool { return n > 16 && n <= 24 && before == 0 },
		"all but one of a window":     func(n uint16, before int) bool { return n > 17 && n <= 24 && before == 0 },
		"the middle of two in a row":  func(n uint16, before int) bool { return (n == 12 || n == 20) && before == 0 },
		"the same one in each window": func(n uint16, before int) bool { return n%8 == 1 && before == 0 },
	} {
		for _, window := range []string{"1", "8"} {
			t.Run(name+", window "+window, func(t *testing.T) {
				t.Parallel()
				c := newClient(t, r.TFTPAddr(), "")
				c.lose = lose
				got, _, err := c.get("a", "octet", "blksize", "512", "windowsize", window)
				if err != nil || !bytes.Equal(got, content) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			})
		}
	}
}

// RFC 1123 section 4.2.3.1, the Sorcerer's Apprentice: an acknowledgement that
// comes twice must not double what follows.
func TestTFTPAnswersARepeatedAcknowledgementOnce(t *testing.T) {
	content := noise(512 * 40)
	r := serve(t, map[string][]byte{"a": content}, nil)
	c := newClient(t, r.TFTPAddr(), "")
	c.echo = 3
	got, _, err := c.get("a", "octet")
	if err != nil || !bytes.Equal(got, content) || c.received != 41 {
		t.Errorf("%d bytes in %d packets, %v", len(got), c.received, err)
	}
}

// RFC 1350: mode netascii, of any case.
func TestTFTPSendsTextWithNetworkLineEnds(t *testing.T) {
	for text, want := range map[string]string{
		"a\nb\n":                        "a\r\nb\r\n",
		"a\r\nb":                        "a\r\x00\r\nb",
		"":                              "",
		strings.Repeat("x", 511) + "\n": strings.Repeat("x", 511) + "\r\n",
		strings.Repeat("\n", 2000):      strings.Repeat("\r\n", 2000),
		strings.Repeat("ab\n", 128):     strings.Repeat("ab\r\n", 128), // exactly one block
	} {
		r := serve(t, map[string][]byte{"a": []byte(text)}, nil)
		for _, options := range [][]string{nil, {"tsize", "0", "windowsize", "4"}} {
			got, accepted, err := newClient(t, r.TFTPAddr(), "").get("a", "NetASCII", options...)
			if err != nil || string(got) != want {
				t.Errorf("%.20q: %.40q, %v", text, got, err)
			}
			if _, ok := accepted["tsize"]; ok {
				t.Error("a size was told that is not that of what is sent")
			}
		}
	}
}

func TestTFTPRefusals(t *testing.T) {
	folder := maze(t)
	r := serve(t, nil, func(c *Config) { c.Folder = string(folder) })
	for name, tt := range map[string]struct {
		packet []byte
		code   uint16
		silent bool
		is     outcome
	}{
		"writing":                     {packet(opWrite, "new", "octet"), codeAccess, false, noWriting},
		"writing over a file":         {packet(opWrite, "a", "octet", "tsize", "3"), codeAccess, false, noWriting},
		"writing a way out":           {packet(opWrite, "../secret", "octet"), codeAccess, false, noWriting},
		"mail":                        {packet(opRead, "a", "mail"), codeIllegal, false, badQuery},
		"an unknown mode":             {packet(opRead, "a", "binary"), codeIllegal, false, badQuery},
		"a file that is not there":    {packet(opRead, "nothing", "octet"), codeNotFound, false, notFound},
		"the folder":                  {packet(opRead, "/", "octet"), codeNotFound, false, notFound},
		"a way out":                   {packet(opRead, "../secret", "octet"), codeAccess, false, badName},
		"a link out":                  {packet(opRead, "link-out", "octet"), codeNotFound, false, notFound},
		"an acknowledgement":          {[]byte{0, opAck, 0, 1}, 0, true, badQuery},
		"data":                        {[]byte{0, opData, 0, 1, 'x'}, 0, true, badQuery},
		"an error":                    {packet(opError, "\x00oh"), 0, true, badQuery},
		"options agreed to":           {packet(opOack, "blksize", "512"), 0, true, badQuery},
		"nonsense":                    {[]byte("GET / HTTP/1.1\r\n\r\n"), 0, true, badQuery},
		"nothing":                     {nil, 0, true, badQuery},
		"more than a request can be":  {packet(opRead, strings.Repeat("a", 2000), "octet"), 0, true, badQuery},
		"a name of a thousand slashe": {packet(opRead, strings.Repeat("/", 900)+"nothing", "octet"), codeNotFound, false, notFound},
	} {
		t.Run(name, func(t *testing.T) {
			before := r.count("tftp", tt.is)
			c := newClient(t, r.TFTPAddr(), "")
			c.write(c.to, tt.packet)
			r.ended(t, "tftp", tt.is, before+1)
			if tt.silent {
				if d, err := c.hear(10 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("answered with %+v, %v", d, err)
				}
				return
			}
			d, err := c.hear(patience)
			if err != nil || d.op != opError || d.number != tt.code {
				t.Errorf("%+v, %v", d, err)
			}
			if len(d.rest)+4 > 64 {
				t.Errorf("an ERROR of %d bytes", len(d.rest)+4)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(string(folder), "new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was written: %v", err)
	}
}

// Firmware asks for the size, refuses it, and asks again.
func TestTFTPClientsMayAskForTheSizeOnly(t *testing.T) {
	content := noise(2000)
	r := serve(t, map[string][]byte{"a": content}, nil)
	c := newClient(t, r.TFTPAddr(), "")
	c.ask("a", "octet", "tsize", "0")
	d, err := c.hear(patience)
	if want := packet(opOack, "tsize", "2000")[2:]; err != nil || d.op != opOack || !bytes.Equal(d.rest, want) {
		t.Fatalf("%+v, %v", d, err)
	}
	c.write(c.peer, packet(opError, "\x00\x08no"))
	r.ended(t, "tftp", aborted, 1)
	got, _, err := c.get("a", "octet", "blksize", "1024") // from the same port
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// Boot ROMs ask for every file from one port, also if the transfer before it failed.
func TestTFTPARequestEndsTheOneBeforeFromTheSamePort(t *testing.T) {
	content := noise(2000)
	r := serve(t, map[string][]byte{"a": noise(5000), "b": content}, func(c *Config) { c.MaxPerClient = 1 })
	c := newClient(t, r.TFTPAddr(), "")
	c.ask("a", "octet")
	if _, err := c.hear(patience); err != nil {
		t.Fatal(err)
	}
	c.ack(1)
	if d, err := c.hear(patience); err != nil || d.number != 2 {
		t.Fatal(d, err)
	}
	got, _, err := c.get("b", "octet")
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	r.ended(t, "tftp", replaced, 1)
}

// A request that comes twice, because the network or the client said it again,
// is one transfer.
func TestTFTPARepeatedRequestIsOne(t *testing.T) {
	r := serveFast(t, map[string][]byte{"a": noise(100)}, nil)
	c := newClient(t, r.TFTPAddr(), "")
	for range 50 {
		c.ask("a", "octet")
	}
	r.ended(t, "tftp", unproved, 1)
	heard := 0
	for {
		if _, err := c.hear(200 * time.Millisecond); err != nil {
			break
		}
		heard++
	}
	if heard > 3*(1+r.count("tftp", unproved)) || r.count("tftp", replaced) != 0 {
		t.Errorf("%d packets for one request, %d transfers replaced", heard, r.count("tftp", replaced))
	}
}

// A sender that never answers may have been forged: its victim gets three small
// packets for a request, and for any number of requests no more than the
// transfers one address may have.
func TestTFTPForgedSendersGetLittle(t *testing.T) {
	const each, requests = 4, 250
	r := serveFast(t, map[string][]byte{"a": noise(100_000)}, func(c *Config) { c.MaxPerClient = each })
	var victims []*client
	for range requests {
		victims = append(victims, newClient(t, r.TFTPAddr(), "127.0.8.1"))
	}
	for _, c := range victims {
		c.ask("a", "octet", "blksize", "65464", "windowsize", "65535")
	}
	r.ended(t, "tftp", unproved, each)
	until(t, "the end of all transfers", func() bool { return r.tftp.slots.inUse() == 0 })
	packets, size := 0, 0
	for _, c := range victims {
		for {
			d, err := c.hear(time.Millisecond)
			if err != nil {
				break
			}
			packets++
			size += 4 + len(d.rest)
		}
	}
	// Slots get free while requests still come in, so a few more than each begin.
	begun := requests - r.count("tftp", surplus)
	if begun < each || begun > requests/4 || packets > 3*begun || size > 3*begun*60 {
		t.Errorf("%d transfers sent %d packets of %d bytes in all", begun, packets, size)
	}
}

// Requests from one address are looked at up to a rate, refusals included.
func TestTFTPRefusalsAreLimitedToo(t *testing.T) {
	r := serve(t, nil, nil)
	c := newClient(t, r.TFTPAddr(), "")
	until(t, "the first silence", func() bool {
		for range 100 {
			c.write(c.to, packet(opWrite, "a", "octet"))
		}
		return r.count("tftp", surplus) > 0
	})
	other := newClient(t, r.TFTPAddr(), "127.0.8.2")
	other.write(other.to, packet(opWrite, "a", "octet"))
	if d, err := other.hear(patience); err != nil || d.number != codeAccess {
		t.Errorf("another address suffers: %+v, %v", d, err)
	}
}

// A thousand clients that ask and fall silent: goroutines and slots stay within
// bounds, and a real client is served at once.
func TestTFTPAThousandHalfOpenTransfers(t *testing.T) {
	const places = 64
	content := noise(50_000)
	r := serveFast(t, map[string][]byte{"a": content}, func(c *Config) { c.MaxTransfers, c.MaxPerClient = places, 16 })
	before, most := runtime.NumGoroutine(), 0
	for i := range 1000 {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 1, byte(i>>8), byte(i))})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.WriteToUDPAddrPort(packet(opRead, "a", "octet"), r.TFTPAddr()); err != nil {
			t.Fatal(err)
		}
		most = max(most, runtime.NumGoroutine()-before)
		if n := r.tftp.slots.inUse(); n > places {
			t.Fatalf("%d slots in use", n)
		}
		if i%200 == 199 {
			got, _, err := newClient(t, r.TFTPAddr(), "").get("a", "octet", "blksize", "1468", "windowsize", "16")
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("after %d: %d bytes, %v", i+1, len(got), err)
			}
		}
	}
	// Twice the places, and for each that is given up two more that end it.
	if most > 2*places*3+10 {
		t.Errorf("%d goroutines more", most)
	}
	until(t, "the end of all", func() bool { return r.tftp.slots.inUse() == 0 })
	r.ended(t, "tftp", complete, 5)
	r.tftp.mu.Lock()
	defer r.tftp.mu.Unlock()
	if n := len(r.tftp.running); n != 0 {
		t.Errorf("%d transfers are still remembered", n)
	}
}

// Clients that have shown they are there keep their places.
func TestTFTPRealTransfersAreNotGivenUp(t *testing.T) {
	content := noise(20_000)
	r := serve(t, map[string][]byte{"a": content}, func(c *Config) { c.MaxTransfers, c.MaxPerClient = 4, 4 })
	steady := newClient(t, r.TFTPAddr(), "")
	late := newClient(t, r.TFTPAddr(), "127.0.8.1")
	steady.lose = func(n uint16, _ int) bool { // with every block but the first comes a flood
		for range 5 * min(1, n-1) {
			newClient(t, r.TFTPAddr(), "127.0.8.3").ask("a", "octet")
		}
		return false
	}
	got, _, err := steady.get("a", "octet")
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if got, _, err := late.get("a", "octet"); err != nil || !bytes.Equal(got, content) {
		t.Errorf("after the flood: %d bytes, %v", len(got), err)
	}
}

func TestTFTPAClientThatIsGoneEndsItsTransfer(t *testing.T) {
	r := serve(t, map[string][]byte{"a": noise(5000)}, nil)
	c := newClient(t, r.TFTPAddr(), "")
	c.ask("a", "octet")
	if _, err := c.hear(patience); err != nil {
		t.Fatal(err)
	}
	c.ack(1)
	if err := c.conn.Close(); err != nil { // the kernel answers with "port unreachable"
		t.Fatal(err)
	}
	r.ended(t, "tftp", aborted, 1)
}

func TestTFTPAClientThatFallsSilentIsGivenUp(t *testing.T) {
	r := serveAt(t, pace{second: 500 * time.Millisecond, drain: patience}, map[string][]byte{"a": noise(5000)}, nil)
	c := newClient(t, r.TFTPAddr(), "")
	c.ask("a", "octet", "timeout", "1")
	if d, err := c.hear(patience); err != nil || d.op != opOack {
		t.Fatal(d, err)
	}
	c.ack(0)
	r.ended(t, "tftp", timedOut, 1)
	for n := range 5 { // RFC 2349: at the interval the client named
		if d, err := c.hear(patience); err != nil || d.op != opData || d.number != 1 {
			t.Fatalf("%d packets, then %+v, %v", n, d, err)
		}
	}
	if d, err := c.hear(10 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a sixth packet: %+v, %v", d, err)
	}
}

// What is half old and half new must not boot.
func TestTFTPFilesThatChangeMeanwhile(t *testing.T) {
	old := noise(512 * 20)
	for name, tt := range map[string]struct {
		change func(path string) error
		want   outcome
	}{
		"truncated":    {func(p string) error { return os.Truncate(p, 512*4) }, changed},
		"emptied":      {func(p string) error { return os.Truncate(p, 0) }, changed},
		"longer":       {func(p string) error { return os.Truncate(p, 512*30) }, changed},
		"written over": {func(p string) error { return os.WriteFile(p, noise(512*20), 0o600) }, changed},
		"replaced": {func(p string) error {
			return errors.Join(os.WriteFile(p+".new", []byte("new"), 0o600), os.Rename(p+".new", p))
		}, complete},
		"deleted":        {os.Remove, complete},
		"no longer ours": {func(p string) error { return os.Chmod(p, 0) }, complete},
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, map[string][]byte{"a": old}, nil)
			path := filepath.Join(r.dir, "a")
			c := newClient(t, r.TFTPAddr(), "")
			c.lose = func(n uint16, before int) bool {
				if n == 2 && before == 0 {
					if err := tt.change(path); err != nil {
						t.Error(err)
					}
				}
				return false
			}
			got, _, err := c.get("a", "octet")
			r.ended(t, "tftp", tt.want, 1)
			var told refused
			switch {
			case tt.want == complete:
				if err != nil || !bytes.Equal(got, old) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			case !errors.As(err, &told) || told.code != codeOther || len(got) >= len(old):
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

// Another implementation's client gets the same bytes.
func TestTFTPServesAnotherLibrary(t *testing.T) {
	content := noise(70_000)
	r := serve(t, map[string][]byte{"a": content}, nil)
	for _, block := range []int{0, 1024, 1456, 65464} {
		c, err := tftp.NewClient(r.TFTPAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		if block > 0 {
			c.SetBlockSize(block)
		}
		c.RequestTSize(true)
		from, err := c.Receive("a", "octet")
		if err != nil {
			t.Fatal(err)
		}
		if size, ok := from.(tftp.IncomingTransfer).Size(); !ok || size != int64(len(content)) {
			t.Errorf("size %d, %v", size, ok)
		}
		var got bytes.Buffer
		if _, err := from.WriteTo(&got); err != nil || !bytes.Equal(got.Bytes(), content) {
			t.Errorf("block %d: %d bytes, %v", block, got.Len(), err)
		}
	}
	c, err := tftp.NewClient(r.TFTPAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Receive("nothing", "octet"); err == nil || !strings.Contains(err.Error(), "file not found") {
		t.Errorf("a missing file: %v", err)
	}
	if to, err := c.Send("new", "octet"); err == nil {
		if _, err = to.ReadFrom(strings.NewReader("x")); err == nil {
			t.Error("a file was written")
		}
	}
}

func TestSlotsAreGivenBackExactly(t *testing.T) {
	s := newSlots(3, 2)
	var given []string
	take := func(name string, last byte) *slot {
		return s.take(netip4(last), func() { given = append(given, name) })
	}
	a, b := take("a", 1), take("b", 1)
	if take("c", 1) != nil {
		t.Error("a third for one client")
	}
	a.proved()
	d := take("d", 2)
	e := take("e", 3) // b is the oldest that is not proved
	if diff := cmp.Diff([]string{"b"}, given); diff != "" {
		t.Error(diff)
	}
	d.proved()
	e.proved()
	if take("f", 4) != nil {
		t.Error("a proved client lost its place")
	}
	e.idle()
	f := take("f", 4)
	if diff := cmp.Diff([]string{"b", "e"}, given); diff != "" || f == nil {
		t.Error(diff)
	}
	for _, t := range []*slot{a, b, d, e, f, a} {
		t.proved()
		t.idle()
		t.release()
	}
	if s.inUse() != 0 || len(s.clients) != 0 || s.pending.Len() != 0 {
		t.Errorf("%d in use, %v, %d pending", s.inUse(), s.clients, s.pending.Len())
	}
}

func TestTheRateForgetsAndIsBounded(t *testing.T) {
	var r rate
	now := time.Unix(1000, 0)
	for range maxRate {
		if !r.allow(netip4(1), now) {
			t.Fatal("too early")
		}
	}
	if r.allow(netip4(1), now) || !r.allow(netip4(2), now) || !r.allow(netip4(1), now.Add(time.Second)) {
		t.Error("limit of the wrong address, or for too long")
	}
	for i := range 2 * maxSources {
		r.allow(netip4(byte(i), byte(i>>8)), now.Add(2*time.Second))
	}
	if len(r.counts) != maxSources {
		t.Errorf("%d addresses remembered", len(r.counts))
	}
}

func TestAContentReadsWhatItWas(t *testing.T) {
	dir := Folder(t.TempDir())
	put(t, string(dir), "a", noise(1000))
	f, err := dir.open("a")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if at, err := f.Seek(-10, io.SeekEnd); at != 990 || err != nil {
		t.Error(at, err)
	}
	if at, err := f.Seek(-5, io.SeekCurrent); at != 985 || err != nil {
		t.Error(at, err)
	}
	if _, err := f.Seek(-1, io.SeekStart); err == nil {
		t.Error("before the start")
	}
	if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, noise(1000)[985:]) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// Package leasefile reads and writes the lease files of DHCP servers: JSON lines, and
// those of ISC dhcpd, Kea, dnsmasq and Windows. It says what a file says and where it is
// wrong, all at once. It must not decide which lease counts here, and it opens no file.
package leasefile

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Format is a kind of lease file.
type Format string

// The formats. Export-DhcpServer writes the last one, which can be read only.
const (
	JSONL   Format = "jsonl"
	DHCPD   Format = "dhcpd"
	Kea     Format = "kea"
	Dnsmasq Format = "dnsmasq"
	Windows Format = "windows"
)

// Formats are those that can be read.
func Formats() []Format { return []Format{JSONL, DHCPD, Kea, Dnsmasq, Windows} }

// State is what a file says of an address.
type State uint8

// The states. An address that was abandoned was found in use by an unknown host.
const (
	Leased State = iota + 1
	Abandoned
	Ended
	Withdrawn // JSON lines only: ended by command, and its client may use it still
)

// Entry is what a file says of one address, in one place.
type Entry struct {
	Line     int // where it begins, from 1 on
	Addr     netip.Addr
	Hardware string // hardware address as upper-case hex with colons; empty: none
	ClientID string // the bytes of option 61; empty: none
	Key      string // JSON lines only: the client key of this program; empty: none
	State    State
	Ends     time.Time // in UTC; zero: never
	Since    time.Time // when the client last dealt with the server; zero: the file does not say
	Name     string    // the client's own name; untrusted text
}

// Client names the client of an entry for people.
func (e Entry) Client() string {
	switch {
	case e.Hardware != "":
		return e.Hardware
	case e.Key != "":
		return e.Key
	case e.ClientID != "":
		return "client identifier " + Hex(e.ClientID)
	}
	return "no client"
}

// Reservation is a fixed address of a client, as a Windows server keeps it.
type Reservation struct {
	Line     int
	Addr     netip.Addr
	ClientID string // the bytes, most often a MAC
	Name     string
}

// Problem is a place of a file that cannot be read, and what to do. It costs itself only.
type Problem struct {
	Line int
	Text string
}

// File is what was read of a file.
type File struct {
	Entries      []Entry // in the order of the file
	Reservations []Reservation
	Problems     []Problem
	// Others are IPv6 leases, which are not read.
	Others int
}

func (f *File) problem(line int, format string, args ...any) {
	f.Problems = append(f.Problems, Problem{line, fmt.Sprintf(format, args...)})
}

// Bounds of what is read.
const (
	maxFile = 1 << 28 // bytes
	maxLine = 1 << 16 // bytes
	maxName = 255     // bytes of a host name (RFC 1035)
	maxID   = 255     // bytes of option 61
)

// ErrTooLarge says that a file has more than 256 MiB.
var ErrTooLarge = errors.New("the file has more than 256 MiB: split it")

// Ordered reports whether a later entry for an address replaces an earlier one.
func (f Format) Ordered() bool { return f == DHCPD || f == Kea }

// Parse reads a file. zone is where times are read that name none. The error is one of
// reading; what is wrong in the file is in File.Problems.
func Parse(format Format, r io.Reader, zone *time.Location) (File, error) {
	bounded := &bounded{r: r, left: maxFile}
	var f File
	var err error
	switch format {
	case JSONL:
		err = f.jsonl(bounded)
	case DHCPD:
		err = f.dhcpd(bounded)
	case Kea:
		err = f.kea(bounded)
	case Dnsmasq:
		err = f.dnsmasq(bounded)
	case Windows:
		err = f.windows(bounded, zone)
	default:
		err = fmt.Errorf("no such format: %q", format)
	}
	slices.SortStableFunc(f.Problems, func(a, b Problem) int { return a.Line - b.Line })
	return f, err
}

// bounded ends a file that is too large with an error, and no reader takes what was read
// of it for all there is.
type bounded struct {
	r      io.Reader
	left   int
	failed error // of reading; nil: what is wrong is in the file
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= n; b.left < 0 {
		n, err = 0, ErrTooLarge
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.failed = err
	}
	return n, err
}

// Detect says which format a file that begins with head has; "" where that is not sure.
func Detect(head []byte) Format {
	text := strings.TrimPrefix(string(head), "\ufeff")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		words := strings.Fields(line)
		switch {
		case line == "", strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "{") && strings.Contains(line, `"address"`):
			return JSONL
		case strings.HasPrefix(line, "<?xml"), strings.HasPrefix(line, "<DHCPServer"):
			if strings.Contains(text, "<DHCPServer") {
				return Windows
			}
			return ""
		case strings.HasPrefix(line, "address,"):
			return Kea
		case words[0] == "lease", words[0] == "authoring-byte-order", words[0] == "server-duid", words[0] == "failover", words[0] == "host" && strings.HasSuffix(line, "{"):
			return DHCPD
		case len(words) == 5 && isDnsmasq(words):
			return Dnsmasq
		default:
			return ""
		}
	}
	return ""
}

// eachLine calls do for each line of r, without its end, and with its number. What is
// longer than a line may be is a problem and is left out.
func (f *File) eachLine(r io.Reader, do func(number int, line string)) error {
	reader := bufio.NewReaderSize(r, maxLine)
	for number := 1; ; number++ {
		line, err := reader.ReadSlice('\n')
		long := false
		for errors.Is(err, bufio.ErrBufferFull) {
			long = true
			_, err = reader.ReadSlice('\n')
		}
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return err
		case long:
			f.problem(number, "the line has more than %d bytes, which no lease has", maxLine)
		case len(line) > 0:
			do(number, strings.TrimRight(string(line), "\r\n"))
		}
		if err != nil {
			return nil //nolint:nilerr // the end
		}
	}
}

// ErrNot4 says that an address is IPv6, which has no lease here.
var errNot4 = errors.New("no IPv4 address")

func parseAddr(text string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return addr, fmt.Errorf("want an IPv4 address, not %.60q", text)
	case !addr.Is4():
		return addr, errNot4
	}
	return addr, nil
}

// parseHex reads bytes in hexadecimal with colons or hyphens between them. Leading zeros
// may be missing where there are separators.
func parseHex(text string) (string, error) {
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == ':' || r == '-' })
	if len(parts) == 1 && len(text)%2 == 0 {
		bytes, err := hex.DecodeString(text)
		if err == nil {
			return string(bytes), nil
		}
	}
	var bytes []byte
	for _, part := range parts {
		if len(part) == 1 {
			part = "0" + part
		}
		one, err := hex.DecodeString(part)
		if err != nil || len(one) != 1 {
			return "", fmt.Errorf("want bytes in hexadecimal such as 52:54:00:12:34:56, not %.60q", text)
		}
		bytes = append(bytes, one[0])
	}
	if len(bytes) == 0 {
		return "", fmt.Errorf("want bytes in hexadecimal such as 52:54:00:12:34:56, not %.60q", text)
	}
	return string(bytes), nil
}

// hardware reads a hardware address, which has to name one client.
func hardware(text string) (string, error) {
	bytes, err := parseHex(text)
	if err != nil {
		return "", err
	}
	if len(bytes) > 16 || strings.Count(bytes, "\x00") == len(bytes) || strings.Count(bytes, "\xff") == len(bytes) || len(bytes) == 6 && bytes[0]&1 == 1 {
		return "", fmt.Errorf("%.60s is the hardware address of no one client", text)
	}
	return Hex(bytes), nil
}

// Hex writes bytes as client keys have them.
func Hex(bytes string) string {
	digits := strings.ToUpper(hex.EncodeToString([]byte(bytes)))
	var b strings.Builder
	for i := 0; i < len(digits); i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(digits[i : i+2])
	}
	return b.String()
}

// whole says what an entry lacks or has too much of; nil for nothing.
func (e *Entry) whole() error {
	switch {
	case len(e.Name) > maxName:
		return fmt.Errorf("the host name has %d bytes, and may have %d", len(e.Name), maxName)
	case len(e.ClientID) > maxID:
		return fmt.Errorf("the client identifier has %d bytes, and may have %d", len(e.ClientID), maxID)
	case e.State == Leased && e.Hardware == "" && e.Key == "" && len(e.ClientID) < 2:
		return errors.New("it names no client: neither hardware address nor client identifier")
	}
	return nil
}

package bootfiles

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOptionsAreAgreedOn(t *testing.T) {
	for name, tt := range map[string]struct {
		options []string
		mode    string
		want    []string // of the OACK
		block   int
		window  int
		seconds int
	}{
		"none":                            {nil, "octet", nil, 512, 1, 0},
		"RFC 2348 a block size":           {[]string{"blksize", "1024"}, "octet", []string{"blksize", "1024"}, 1024, 1, 0},
		"a block above Ethernet":          {[]string{"blksize", "65464"}, "octet", []string{"blksize", "1468"}, 1468, 1, 0},
		"a block above what there is":     {[]string{"blksize", "4294967296"}, "octet", nil, 512, 1, 0},
		"the smallest block":              {[]string{"blksize", "8"}, "octet", []string{"blksize", "8"}, 8, 1, 0},
		"a block too small":               {[]string{"blksize", "7"}, "octet", nil, 512, 1, 0},
		"a block of nonsense":             {[]string{"blksize", "-1024"}, "octet", nil, 512, 1, 0},
		"RFC 7440 a window":               {[]string{"windowsize", "4"}, "octet", []string{"windowsize", "4"}, 512, 4, 0},
		"the largest window":              {[]string{"windowsize", "65535"}, "octet", []string{"windowsize", "32"}, 512, 32, 0},
		"no window":                       {[]string{"windowsize", "0"}, "octet", nil, 512, 1, 0},
		"RFC 2349 a timeout":              {[]string{"timeout", "3"}, "octet", []string{"timeout", "3"}, 512, 1, 3},
		"a timeout too long to hold":      {[]string{"timeout", "255"}, "octet", nil, 512, 1, 0},
		"no timeout":                      {[]string{"timeout", "0"}, "octet", nil, 512, 1, 0},
		"RFC 2349 the size":               {[]string{"tsize", "0"}, "octet", []string{"tsize", "12345"}, 512, 1, 0},
		"the size of a text":              {[]string{"tsize", "0"}, "netascii", nil, 512, 1, 0},
		"RFC 2347 names in any case":      {[]string{"BlkSize", "600", "TSIZE", "0"}, "OCTET", []string{"blksize", "600", "tsize", "12345"}, 600, 1, 0},
		"an option asked twice":           {[]string{"blksize", "600", "blksize", "900"}, "octet", []string{"blksize", "600"}, 600, 1, 0},
		"unknown options are left out":    {[]string{"multicast", "", "tsize", "0", "x", "1"}, "octet", []string{"tsize", "12345"}, 512, 1, 0},
		"in the client's order":           {[]string{"tsize", "0", "windowsize", "8", "blksize", "1428"}, "octet", []string{"tsize", "12345", "windowsize", "8", "blksize", "1428"}, 1428, 8, 0},
		"a value that would come back":    {[]string{"tsize", strings.Repeat("9", 400)}, "octet", nil, 512, 1, 0},
		"an option cut off is left aside": {[]string{"tsize", "0", "blksize"}, "octet", []string{"tsize", "12345"}, 512, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := parseRequest(packet(opRead, append([]string{"a", tt.mode}, tt.options...)...))
			if err != nil || !r.known {
				t.Fatal(err)
			}
			got := r.agree(12345)
			var accepted []string
			for _, o := range got.accepted {
				accepted = append(accepted, o.name, o.value)
			}
			if diff := cmp.Diff(tt.want, accepted); diff != "" || got.block != tt.block || got.window != tt.window || got.interval != tt.seconds {
				t.Errorf("%+v %s", got, diff)
			}
			if diff := cmp.Diff(packet(opOack, tt.want...), oack(got.accepted)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatIsARequest(t *testing.T) {
	for name, tt := range map[string]struct {
		packet []byte
		name   string
		ok     bool
	}{
		"a read request":             {packet(opRead, "a", "octet"), "a", true},
		"a write request":            {packet(opWrite, "a", "octet"), "a", true},
		"padded by firmware":         {append(packet(opRead, "a", "octet"), 0, 0, 0, 'x'), "a", true},
		"without a mode":             {packet(opRead, "a"), "", false},
		"the mode is not closed":     {[]byte("\x00\x01a\x00octet"), "", false},
		"nothing":                    {nil, "", false},
		"one byte":                   {[]byte{0}, "", false},
		"an acknowledgement":         {[]byte{0, opAck, 0, 1}, "", false},
		"an error":                   {packet(opError, "\x01x", "y"), "", false},
		"an opcode with a high byte": {append([]byte{1, opRead}, packet(opRead, "a", "octet")[2:]...), "", false},
	} {
		r, err := parseRequest(tt.packet)
		if (err == nil) != tt.ok || r.name != tt.name {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// An answer never says more than what was agreed on, and less than was asked.
func FuzzRequests(f *testing.F) {
	f.Add(packet(opRead, "pxelinux.0", "octet", "tsize", "0", "blksize", "1456"))
	f.Add(packet(opRead, "a", "netascii", "windowsize", "65535", "timeout", "255"))
	f.Add(packet(opWrite, "a", "mail"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRequest(b)
		if err != nil {
			return
		}
		got := r.agree(1 << 40)
		if got.block < minBlock || got.block > maxBlock || got.window < 1 || got.window > maxWindow || got.interval < 0 || got.interval > maxInterval {
			t.Errorf("%+v", got)
		}
		if answer := oack(got.accepted); len(answer) > 100 || len(got.accepted) > 4 {
			t.Errorf("an OACK of %d bytes", len(answer))
		}
		if _, ok := parseReply(b); ok {
			t.Error("a request is taken for a reply")
		}
	})
}

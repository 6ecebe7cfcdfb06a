package sshtest

import (
	"cmp"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/fault"
)

// Opening is the Fault.Method of the lines before the first request: Path is boot or hello.
const Opening = "OPEN"

// FaultKind is a way to fail.
type FaultKind int

// The faults. Unless told otherwise the request is carried out.
const (
	Slow        FaultKind = iota // it begins after Delay, or when Until is closed
	CutBefore                    // the session ends, and the request is not carried out
	CutAfter                     // the session ends without a reply: nobody can know that it was carried out
	CutReply                     // the session ends in the middle of the reply
	Silent                       // no reply until the other side ends the session; not carried out
	SilentAfter                  // the same after it was carried out
	WrongID                      // the reply has the next id
	Noise                        // Text comes before the reply, in its line if it has no line end
	NoiseAfter                   // Text comes after it
	TooLong                      // a line of Length bytes without an end, and then nothing
	Trickle                      // the line of the reply never ends: one more byte each Delay
	NotBase64                    // the body of the reply is no base64
	Garbled                      // the reply has the mark, and cannot be read
)

// Fault makes requests fail. Empty fields match any request; lines of the opening are matched by
// the method Opening only. Faults of what the endpoint script answers are those of psutest.
type Fault struct {
	Method string
	Path   string // below /api/dhcp/, exact, or a prefix if it ends in "*"
	Scope  string // scope_id of the query or end of the path
	After  int    // matching requests that are let through first
	Times  int    // 0: until ClearFaults
	Kind   FaultKind
	// Connection makes a cut end all connections of the server, not the session alone.
	Connection bool
	Delay      time.Duration   // of Slow and of each byte of Trickle, there at least 1 ms
	Until      <-chan struct{} `json:"-"` // of Slow, where the server is in-process; psutest's Slow has it on both
	Text       string          // of Noise and NoiseAfter; empty: a line in the code page of a console
	Length     int             // of TooLong; 0: 64 MiB and 1
}

func (f *Fault) noise() string { return cmp.Or(f.Text, OEM) }

func (f *Fault) length() int { return cmp.Or(f.Length, 64<<20+1) }

// OEM is a line in code page 850, which is no UTF-8.
const OEM = "WARNUNG: Der Zugriff f\x81r \x8ffnen wurde verz\x94gert.\r\n"

// CLIXML is what PowerShell writes to stderr for progress, and a warning with colours.
const CLIXML = "#< CLIXML\r\n<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\"><Obj S=\"progress\" RefId=\"0\">" +
	"<MS><PR N=\"Record\"><AV>Preparing modules for first use.</AV></PR></MS></Obj></Objs>\r\n\x1b[33;1mWARNING: \x1b[0mmodule DhcpServer\r\n"

// Fail makes matching requests fail from now on. Of several matching faults the oldest one is used.
func (s *Server) Fail(f Fault) { s.faults.Add(f, f.After, f.Times) }

// ClearFaults ends all faults.
func (s *Server) ClearFaults() { s.faults.Clear() }

// take finds the fault of a request and counts it.
func (s *Server) take(method, path, scope string) *Fault {
	return s.faults.Take(func(f Fault) bool {
		return (f.Method == Opening) == (method == Opening) && fault.Match(f.Method, method) && fault.Match(f.Path, path) &&
			(f.Scope == "" || f.Scope == scope || strings.HasSuffix(path, "/"+f.Scope))
	})
}

package sshtest

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// Kind is what a text is that the stand-in knows by its sum.
type Kind int

// The texts of rules 13.4 and 13.5.
const (
	Bootstrap    Kind = iota + 1 // of -EncodedCommand: it reads the script
	Whole                        // the script that is sent
	Reading                      // the same without the routes that write
	BoundWhole                   // the script that is installed, with --write
	BoundReading                 // the same without --write
)

// Sum names a text in Shell.Accept: SHA-256 of its UTF-8 bytes, in hex.
func Sum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Accept reads sums of texts: a line each, the sum in hex, two blanks, and bootstrap, sent-write,
// sent-read, bound-write or bound-read.
func Accept(tb testing.TB, sums string) map[string]Kind {
	tb.Helper()
	kinds := map[string]Kind{"bootstrap": Bootstrap, "sent-write": Whole, "sent-read": Reading, "bound-write": BoundWhole, "bound-read": BoundReading}
	out := map[string]Kind{}
	for line := range strings.Lines(sums) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if kinds[name] == 0 || len(sum) != 2*sha256.Size {
			tb.Fatalf("sshtest: line %q of the sums is none", line)
		}
		out[sum] = kinds[name]
	}
	return out
}

// Shell says how the stand-in of PowerShell behaves. The zero value of a knob is a
// healthy Windows PowerShell 5.1.
type Shell struct {
	// Accept are the texts that it takes for the real ones, by Sum. Any other text ends
	// it with a word on stderr, since it cannot run PowerShell.
	Accept map[string]Kind
	// Backend is the base URL of the stand-in of PowerShell Universal that carries out
	// the requests, without a slash at the end; Token is its token for writing. A Server sets both.
	Backend, Token string

	Mode     string // language mode; empty: FullLanguage
	Edition  string // empty: Desktop, or Core where it is started as pwsh
	Version  string // of PowerShell; empty: 5.1.20348.2700, or 7.4.6 of Core
	Computer string // empty: that of the stand-in of PowerShell Universal
	Account  string // empty: CORP\netbox-dhcp
	Zone     string // empty: W. Europe Standard Time
	// Offset is the time of its zone minus UTC; nil: an hour.
	Offset *time.Duration
	// Clock is the server's clock minus that of this machine.
	Clock time.Duration
	// Rights are told in the greeting: write or read; empty: read if the stand-in of
	// PowerShell Universal has no endpoint that writes. Texts without routes that write never tell write.
	Rights   string
	Protocol int    // 0: 1
	Script   string // whose script it is; empty: netbox-dhcp-sync
	// ScriptVersion is that of the script; empty: that of the stand-in of PowerShell Universal.
	ScriptVersion string

	// Banner goes to stdout before the first line, and needs no line end: a banner, the
	// text of a profile, a warning in the code page of the console.
	Banner []byte
	// Chatter goes to stdout right after the greeting.
	Chatter []byte
	// Stderr goes to stderr first: CLIXML, escapes.
	Stderr []byte
	// Exit is the status with which it ends before its first line, after Banner and Stderr; 0: it does not.
	Exit int

	// Take gives the fault of a request, or of an Opening; nil: there are none.
	Take func(method, path, scope string) *Fault `json:"-"`
	// Cut ends the connections of the server, for Fault.Connection.
	Cut func() `json:"-"`
}

// withDefaults fills in what was left empty.
func (c Shell) withDefaults(program string) Shell {
	edition, version := "Desktop", "5.1.20348.2700"
	if strings.EqualFold(program, "pwsh") || c.Edition == "Core" {
		edition, version = "Core", "7.4.6"
	}
	c.Mode = cmp.Or(c.Mode, "FullLanguage")
	c.Edition, c.Version = cmp.Or(c.Edition, edition), cmp.Or(c.Version, version)
	c.Computer, c.Account = cmp.Or(c.Computer, "DH1"), cmp.Or(c.Account, `CORP\netbox-dhcp`)
	c.Zone = cmp.Or(c.Zone, "W. Europe Standard Time")
	if c.Offset == nil {
		hour := time.Hour
		c.Offset = &hour
	}
	c.Rights, c.Protocol, c.Script = cmp.Or(c.Rights, "write"), cmp.Or(c.Protocol, 1), cmp.Or(c.Script, "netbox-dhcp-sync")
	if c.Take == nil {
		c.Take = func(string, string, string) *Fault { return nil }
	}
	if c.Cut == nil {
		c.Cut = func() {}
	}
	return c
}

// PowerShell stands for powershell.exe and pwsh.exe. args[0] is the program. It takes one of
// the two command lines of rules 13.4 and 13.5, insists on texts of c.Accept, and then speaks
// rule 13.1 until standard input ends or ctx is cancelled. It returns the exit status. What is
// wrong with the command line or a text is told on stderr. A goroutine reads stdin until that ends.
func PowerShell(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, c Shell) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	program, line, err := parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "%v\r\n", err)
		return 1
	}
	c = c.withDefaults(program)
	if _, err := stderr.Write(c.Stderr); err != nil {
		return 1
	}
	if _, err := stdout.Write(c.Banner); err != nil || c.Exit != 0 {
		return cmp.Or(c.Exit, 1)
	}
	s := newSession(ctx, stdin, stdout, c)
	defer s.http.CloseIdleConnections()
	err = s.run(line)
	switch {
	case err == nil:
		return 0
	case !errors.Is(err, errCut):
		fmt.Fprintf(stderr, "%v\r\n", err)
	}
	return 1
}

// command is what a command line asks PowerShell to do: one of both.
type command struct {
	encoded string // of -EncodedCommand
	file    string // of -File
}

// parse reads a command line as PowerShell does: names of parameters in any case.
func parse(args []string) (program string, c command, err error) {
	if len(args) == 0 {
		return "", c, errors.New("sshtest: no command: the stand-in has no interactive shell")
	}
	program = args[0][strings.LastIndexAny(args[0], `/\`)+1:]
	program = strings.TrimSuffix(strings.ToLower(program), ".exe")
	if program != "powershell" && program != "pwsh" {
		return "", c, fmt.Errorf("'%s' is not recognized as an internal or external command,\r\noperable program or batch file", args[0])
	}
	if all := strings.Join(args, " "); len(all) >= 1000 {
		return "", c, fmt.Errorf("sshtest: the command has %d characters, want fewer than 1000", len(all))
	}
	given := map[string]bool{}
	for rest := args[1:]; len(rest) > 0; {
		name := strings.ToLower(rest[0])
		given[name] = true
		rest = rest[1:]
		switch name {
		case "-noprofile", "-noninteractive", "-nologo":
			continue
		case "-outputformat", "-executionpolicy", "-encodedcommand", "-file":
		default:
			return "", c, fmt.Errorf("sshtest: the stand-in does not know the argument %q", name)
		}
		if len(rest) == 0 {
			return "", c, fmt.Errorf("sshtest: %s has no value", name)
		}
		value := rest[0]
		rest = rest[1:]
		switch {
		case name == "-outputformat" && !strings.EqualFold(value, "Text"):
			return "", c, fmt.Errorf("sshtest: -OutputFormat is %q, want Text", value)
		case name == "-encodedcommand":
			c.encoded = value
		case name == "-file":
			c.file = value
		}
	}
	if !given["-noprofile"] || !given["-noninteractive"] || c.encoded == "" == (c.file == "") || c.encoded != "" && !given["-outputformat"] {
		return "", c, errors.New("sshtest: want -NoProfile -NonInteractive, and -OutputFormat Text -EncodedCommand BASE64 or -File PATH")
	}
	return program, c, nil
}

// text is the text of -EncodedCommand: base64 of UTF-16LE.
func (c command) text() (string, error) {
	raw, err := base64.StdEncoding.DecodeString(c.encoded)
	if err != nil || len(raw)%2 != 0 {
		return "", errors.New("sshtest: -EncodedCommand is no base64 of UTF-16LE")
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(raw[2*i:])
	}
	return string(utf16.Decode(units)), nil
}

// Encoded is a text as -EncodedCommand takes it.
func Encoded(text string) string {
	var raw []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		raw = binary.LittleEndian.AppendUint16(raw, unit)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// accept finds out what a text is. It is an error where it is none of those that are wanted.
func (c *Shell) accept(what, text string, want ...Kind) (Kind, error) {
	if kind := c.Accept[Sum(text)]; slices.Contains(want, kind) {
		return kind, nil
	}
	return 0, fmt.Errorf("sshtest: the %s is none that Shell.Accept has: %d bytes, sum %s", what, len(text), Sum(text))
}

// fileText reads an installed script.
func fileText(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("the argument '%s' to the -File parameter does not exist: %w", path, err)
	}
	return strings.TrimPrefix(string(text), "\ufeff"), nil
}

// readLines gives the lines of in without their ends. ended is closed when there will be no more.
func readLines(ctx context.Context, in io.Reader) (lines <-chan string, ended <-chan struct{}) {
	out, end := make(chan string), make(chan struct{})
	go func() {
		defer close(out)
		defer close(end)
		for r := bufio.NewReader(in); ; {
			line, err := r.ReadString('\n')
			if line != "" {
				select {
				case out <- strings.TrimRight(line, "\r\n"):
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	return out, end
}

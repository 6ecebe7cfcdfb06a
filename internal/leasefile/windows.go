package leasefile

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Bounds of an export.
const (
	maxDepth = 32
	maxText  = 1 << 12 // bytes of one element
)

// windows reads the XML of Export-DhcpServer: the leases and reservations below IPv4.
// Entities of its own, and a document type, are refused.
func (f *File) windows(r *bounded, zone *time.Location) error {
	w := windowsReader{file: f, zone: zone, decoder: xml.NewDecoder(r)}
	err := w.read()
	var syntax *xml.SyntaxError
	switch {
	case r.failed != nil:
		return r.failed
	case errors.Is(err, io.EOF) && w.began && len(w.path) == 0:
	case errors.Is(err, io.EOF):
		f.problem(w.line(), "the file ends early: want the whole file that Export-DhcpServer wrote")
	case errors.As(err, &syntax):
		f.problem(syntax.Line, "no XML from here on: %s", syntax.Msg)
	default:
		f.problem(w.line(), "%v", err)
	}
	return nil
}

// errXML is what no export has.
var errXML = errors.New("no export of a DHCP server")

// windowsReader goes through an export, element by element.
type windowsReader struct {
	file    *File
	zone    *time.Location
	decoder *xml.Decoder
	began   bool
	path    []string
	text    strings.Builder
	object  string // Lease or Reservation; empty: outside
	depth   int    // of object
	begins  int    // line of object
	fields  map[string]string
}

func (w *windowsReader) line() int {
	line, _ := w.decoder.InputPos()
	return line
}

// read returns io.EOF at the end of the file.
func (w *windowsReader) read() error {
	for {
		token, err := w.decoder.RawToken()
		if err != nil {
			if strings.Contains(err.Error(), "CharsetReader") {
				return fmt.Errorf("%w: want UTF-8; save the file anew in that encoding", errXML)
			}
			return err
		}
		switch token := token.(type) {
		case xml.Directive:
			return fmt.Errorf("%w: it has a document type, which none has", errXML)
		case xml.StartElement:
			if err := w.start(token.Name.Local); err != nil {
				return err
			}
		case xml.EndElement:
			if err := w.end(token.Name.Local); err != nil {
				return err
			}
		case xml.CharData:
			if w.object != "" && w.text.Len()+len(token) <= maxText {
				w.text.Write(token)
			}
		}
	}
}

func (w *windowsReader) start(name string) error {
	if !w.began && name != "DHCPServer" {
		return fmt.Errorf("%w: it begins with <%.60s> and not with <DHCPServer>", errXML, name)
	}
	w.began = true
	if w.path = append(w.path, name); len(w.path) > maxDepth {
		return fmt.Errorf("%w: its elements are nested more than %d deep", errXML, maxDepth)
	}
	w.text.Reset()
	if w.object == "" && (name == "Lease" || name == "Reservation") {
		w.object, w.depth, w.begins, w.fields = name, len(w.path), w.line(), make(map[string]string)
		if len(w.path) > 1 && w.path[1] == "IPv6" {
			w.file.Others++
			w.object = "IPv6"
		}
	}
	return nil
}

func (w *windowsReader) end(name string) error {
	if len(w.path) == 0 || w.path[len(w.path)-1] != name {
		return fmt.Errorf("%w: </%.60s> ends nothing", errXML, name)
	}
	if w.object != "" && len(w.path) == w.depth+1 {
		w.fields[name] = strings.TrimSpace(w.text.String())
	}
	if w.object != "" && len(w.path) == w.depth {
		var err error
		switch w.object {
		case "Lease":
			err = w.lease()
		case "Reservation":
			err = w.reservation()
		}
		if err != nil {
			w.file.problem(w.begins, "the %s of %.60s: %v", strings.ToLower(w.object), w.fields["IPAddress"], err)
		}
		w.object = ""
	}
	w.path = w.path[:len(w.path)-1]
	w.text.Reset()
	return nil
}

// lease reads one lease. That of a reservation is one, too: its client runs on it.
func (w *windowsReader) lease() (err error) {
	e := Entry{Line: w.begins, Name: w.fields["HostName"]}
	if e.Addr, err = parseAddr(w.fields["IPAddress"]); err != nil {
		return err
	}
	switch state := w.fields["AddressState"]; state {
	case "Active", "ActiveReservation", "Offered":
		e.State = Leased
	case "Declined":
		e.State = Abandoned
	case "Expired", "InactiveReservation", "Inactive":
		e.State = Ended
	default:
		return fmt.Errorf("AddressState: want Active, Declined, Expired or the state of a reservation, not %.60q", state)
	}
	if text := w.fields["LeaseExpiryTime"]; text != "" {
		if e.Ends, err = w.time(text); err != nil {
			return err
		}
	}
	if e.State == Leased {
		id, err := parseHex(w.fields["ClientId"])
		if err != nil {
			return fmt.Errorf("ClientId: %w", err)
		}
		if e.Hardware, err = hardware(w.fields["ClientId"]); err != nil || len(id) != 6 { // Windows shows a MAC, or an identifier of another kind
			e.Hardware, e.ClientID = "", id
		}
	}
	if err := e.whole(); err != nil {
		return err
	}
	w.file.Entries = append(w.file.Entries, e)
	return nil
}

func (w *windowsReader) time(text string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at.UTC(), nil
	}
	at, err := time.ParseInLocation("2006-01-02T15:04:05.999999999", text, w.zone)
	if err != nil {
		return at, fmt.Errorf("LeaseExpiryTime: want a time such as 2026-05-01T12:00:00Z, not %.60q", text)
	}
	return at.UTC(), nil
}

func (w *windowsReader) reservation() (err error) {
	r := Reservation{Line: w.begins, Name: w.fields["Name"]}
	if r.Addr, err = parseAddr(w.fields["IPAddress"]); err != nil {
		return err
	}
	if r.ClientID, err = parseHex(w.fields["ClientId"]); err != nil {
		return fmt.Errorf("ClientId: %w", err)
	}
	w.file.Reservations = append(w.file.Reservations, r)
	return nil
}

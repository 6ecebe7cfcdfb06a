package leasefile

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// dhcpd reads the declarations of leases in a file of ISC dhcpd. Other declarations are
// passed over. A declaration that is broken ends where the next one begins.
func (f *File) dhcpd(r io.Reader) error {
	var block strings.Builder
	begins, depth := 0, 0
	inside := false
	err := f.eachLine(r, func(number int, line string) {
		words := strings.Fields(line)
		isLease := len(words) >= 2 && words[0] == "lease" && (words[1][0] >= '0' && words[1][0] <= '9')
		switch {
		case isLease && inside:
			f.problem(begins, "the declaration has no closing brace before the next one in line %d", number)
			fallthrough
		case isLease:
			block.Reset()
			begins, depth, inside = number, 0, true
		case len(words) >= 2 && (words[0] == "ia-na" || words[0] == "ia-ta" || words[0] == "ia-pd"):
			f.Others++
			return
		case !inside:
			return
		}
		block.WriteString(line)
		block.WriteByte('\n')
		depth += braces(line)
		if depth <= 0 && strings.Contains(line, "}") || block.Len() > maxLine {
			inside = false
			f.dhcpdLease(begins, block.String())
		}
	})
	if err == nil && inside {
		f.problem(begins, "the declaration has no closing brace: it was not written to its end")
	}
	return err
}

// braces is how many braces a line opens, less those that it closes.
func braces(line string) (n int) {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '#':
			return n
		case c == '{':
			n++
		case c == '}':
			n--
		}
	}
	return n
}

// dhcpdLease reads one declaration.
func (f *File) dhcpdLease(begins int, text string) {
	s := scanner{text: text, line: begins}
	e, err := s.lease()
	switch {
	case errors.Is(err, errNot4):
		f.Others++
	case err != nil:
		f.problem(s.line, "%v", err)
	default:
		e.Line = begins
		f.add(e)
	}
}

// word is a token: a word, a text, a brace or a semicolon.
type word struct {
	text   string
	quoted bool
}

func (w word) is(sign string) bool { return !w.quoted && w.text == sign }

// scanner takes tokens off a declaration.
type scanner struct {
	text string
	line int
}

var errEnds = errors.New("the declaration ends in the middle")

// next returns the next token.
func (s *scanner) next() (word, error) {
	for len(s.text) > 0 {
		switch c := s.text[0]; {
		case c == '\n':
			s.line++
			s.text = s.text[1:]
		case c == ' ', c == '\t', c == '\r':
			s.text = s.text[1:]
		case c == '#':
			if end := strings.IndexByte(s.text, '\n'); end >= 0 {
				s.text = s.text[end:]
			} else {
				s.text = ""
			}
		case c == '"':
			return s.quoted()
		case strings.IndexByte("{};=", c) >= 0:
			s.text = s.text[1:]
			return word{text: string(c)}, nil
		default:
			end := strings.IndexAny(s.text, " \t\r\n{};=\"#")
			if end < 0 {
				end = len(s.text)
			}
			w := word{text: s.text[:end]}
			s.text = s.text[end:]
			return w, nil
		}
	}
	return word{}, errEnds
}

// quoted reads a text with the escapes of dhcpd: octal and hexadecimal numbers, and those
// of C.
func (s *scanner) quoted() (word, error) {
	var b strings.Builder
	for i := 1; i < len(s.text); i++ {
		switch c := s.text[i]; c {
		case '"':
			s.text = s.text[i+1:]
			return word{b.String(), true}, nil
		case '\n':
			return word{}, errors.New("a text has no closing quote")
		case '\\':
			value, used := escape(s.text[i+1:])
			b.WriteByte(value)
			i += used
		default:
			b.WriteByte(c)
		}
	}
	return word{}, errors.New("a text has no closing quote")
}

// escape is the byte that what follows a backslash stands for, and how much of it that
// takes.
func escape(rest string) (value byte, used int) {
	if rest == "" {
		return '\\', 0
	}
	digits := func(base, most int, from string) (byte, int) {
		for n := min(most, len(from)); n > 0; n-- {
			if v, err := strconv.ParseUint(from[:n], base, 8); err == nil {
				return byte(v), n
			}
		}
		return 0, 0
	}
	switch c := rest[0]; c {
	case 'n':
		return '\n', 1
	case 't':
		return '\t', 1
	case 'r':
		return '\r', 1
	case 'b':
		return '\b', 1
	case 'x', 'X':
		if v, n := digits(16, 2, rest[1:]); n > 0 {
			return v, n + 1
		}
		return c, 1
	default:
		if v, n := digits(8, 3, rest); n > 0 {
			return v, n
		}
		return c, 1
	}
}

// statement returns the words up to the next semicolon; a block in braces is passed over
// and ends one, too. done: the declaration ends here.
func (s *scanner) statement() (words []word, done bool, err error) {
	for {
		w, err := s.next()
		switch {
		case err != nil:
			return nil, false, err
		case w.is(";"):
			return words, false, nil
		case w.is("}") && len(words) == 0:
			return nil, true, nil
		case w.is("}"):
			return nil, false, errors.New("a semicolon is missing before the brace")
		case w.is("{"):
			return nil, false, s.skip()
		}
		words = append(words, w)
	}
}

// skip passes over the rest of a block.
func (s *scanner) skip() error {
	for depth := 1; depth > 0; {
		w, err := s.next()
		switch {
		case err != nil:
			return err
		case w.is("{"):
			depth++
		case w.is("}"):
			depth--
		}
	}
	return nil
}

// lease reads "lease ADDRESS { ... }".
func (s *scanner) lease() (e Entry, err error) {
	var head [3]word
	for i := range head {
		if head[i], err = s.next(); err != nil {
			return e, err
		}
	}
	if !head[2].is("{") {
		return e, fmt.Errorf("want a brace after the address, not %.60q", head[2].text)
	}
	if e.Addr, err = parseAddr(head[1].text); err != nil {
		return e, err
	}
	e.State = Leased
	ended := false
	for {
		line := s.line
		words, done, err := s.statement()
		if err == nil && len(words) > 0 {
			err = e.dhcpd(words)
			ended = ended || words[0].is("ends")
		}
		if err != nil {
			return e, fmt.Errorf("the lease of %s, in line %d: %w", e.Addr, max(line, s.line), err)
		}
		if done {
			if !ended && e.State == Leased {
				return e, fmt.Errorf("the lease of %s does not say when it ends", e.Addr)
			}
			if e.State != Leased {
				e.Hardware, e.ClientID = "", ""
			}
			if e.State == Abandoned && e.Ends.IsZero() {
				e.State = Ended // for how long it rests is not said
			}
			return e, nil
		}
	}
}

// dhcpd takes one statement of a declaration over.
func (e *Entry) dhcpd(words []word) (err error) {
	rest := words[1:]
	switch words[0].text {
	case "starts":
		if e.Since.IsZero() {
			e.Since, err = dhcpdTime(rest)
		}
	case "cltt":
		e.Since, err = dhcpdTime(rest)
	case "ends":
		e.Ends, err = dhcpdTime(rest)
	case "hardware":
		if len(rest) != 2 {
			return errors.New("hardware: want its type and the address")
		}
		e.Hardware, err = hardware(rest[1].text)
	case "uid":
		if len(rest) != 1 {
			return errors.New("uid: want one text, or bytes with colons between them")
		}
		if e.ClientID = rest[0].text; !rest[0].quoted {
			e.ClientID, err = parseHex(rest[0].text)
		}
	case "client-hostname":
		if len(rest) != 1 {
			return errors.New("client-hostname: want one text")
		}
		e.Name = rest[0].text
	case "abandoned":
		e.State = Abandoned
	case "binding":
		if len(rest) != 2 || !rest[0].is("state") {
			return errors.New("binding: want binding state and the state")
		}
		switch state := rest[1].text; state {
		case "active", "bootp":
			e.State = Leased
		case "abandoned":
			e.State = Abandoned
		case "free", "backup", "expired", "released", "reset":
			e.State = Ended
		default:
			return fmt.Errorf("binding state: want active, free, backup, expired, released, reset or abandoned, not %.60q", state)
		}
	}
	return err
}

// dhcpdTime reads "never", "epoch SECONDS", or a day of the week, a date and a time in
// UTC. The zero time is never.
func dhcpdTime(words []word) (time.Time, error) {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = w.text
	}
	switch {
	case len(texts) == 1 && texts[0] == "never":
		return time.Time{}, nil
	case len(texts) == 2 && texts[0] == "epoch":
		seconds, err := strconv.ParseInt(texts[1], 10, 64)
		if err == nil && seconds >= 0 && seconds <= maxTime {
			return time.Unix(seconds, 0).UTC(), nil
		}
	case len(texts) == 3:
		at, err := time.Parse("2006/1/2 15:4:5", texts[1]+" "+texts[2])
		if err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("want a time such as 4 2026/05/01 12:00:00, epoch 1777636800 or never, not %.60q", strings.Join(texts, " "))
}

// Package powershelltest reads PowerShell for the tests of the scripts in this folder:
// which commands they call and how, and which variables they read. It knows as much
// of the language as these scripts use, and runs nothing.
package powershelltest

import (
	"fmt"
	"regexp"
	"strings"
)

// Code gives a PowerShell script without comments, and with the content of its
// texts blanked: what is left in quotes is no code. A variable and a subexpression
// $(...) of a text are code and stay.
func Code(text string) string {
	r := &reader{in: text}
	r.until("")
	return r.out.String()
}

// inText is a variable in a text.
var inText = regexp.MustCompile(`^\$(?:\w+(?::\w+)?|\{[^}]+\})`)

type reader struct {
	in  string
	at  int
	out strings.Builder
}

// until reads code up to a closing bracket, or to the end.
func (r *reader) until(closing string) {
	for r.at < len(r.in) {
		rest := r.in[r.at:]
		switch {
		case closing != "" && strings.HasPrefix(rest, closing):
			r.take(len(closing))
			return
		case strings.HasPrefix(rest, "<#"):
			r.skip(rest, "#>")
		case rest[0] == '#' && (r.at == 0 || strings.ContainsRune(" \t\n;(){}", rune(r.in[r.at-1]))):
			line, _, _ := strings.Cut(rest, "\n")
			r.at += len(line)
		case strings.HasPrefix(rest, "@'\n"):
			r.blank(rest, "\n'@")
		case strings.HasPrefix(rest, "@\"\n"):
			r.quoted("\n\"@", 3)
		case rest[0] == '\'':
			r.single()
		case rest[0] == '"':
			r.quoted(`"`, 1)
		case rest[0] == '`' && len(rest) > 1:
			if rest[1] != '\n' { // a line that goes on is one line
				r.out.WriteString(rest[:2])
			}
			r.at += 2
		case rest[0] == '(':
			r.take(1)
			r.until(")")
		default:
			r.take(1)
		}
	}
}

func (r *reader) take(n int) {
	r.out.WriteString(r.in[r.at : r.at+n])
	r.at += n
}

// skip leaves out all up to an end and the end.
func (r *reader) skip(rest, end string) {
	n := strings.Index(rest, end)
	if n < 0 {
		n = len(rest)
	}
	r.at += min(n+len(end), len(rest))
}

func (r *reader) blank(rest, end string) {
	r.skip(rest, end)
	r.out.WriteString("''")
}

// single reads 'text', in which ” is a quote.
func (r *reader) single() {
	for r.at++; r.at < len(r.in); r.at++ {
		if r.in[r.at] == '\'' {
			if !strings.HasPrefix(r.in[r.at:], "''") {
				break
			}
			r.at++
		}
	}
	r.at++
	r.out.WriteString("''")
}

// quoted reads "text" with its subexpressions.
func (r *reader) quoted(end string, open int) {
	r.out.WriteString(`"`)
	for r.at += open; r.at < len(r.in); {
		rest := r.in[r.at:]
		switch {
		case rest[0] == '`':
			r.at += 2
		case end == `"` && strings.HasPrefix(rest, `""`):
			r.at += 2
		case strings.HasPrefix(rest, end):
			r.at += len(end)
			r.out.WriteString(`"`)
			return
		case strings.HasPrefix(rest, "$("):
			r.take(2)
			r.until(")")
		case inText.MatchString(rest):
			r.take(len(inText.FindString(rest)))
		default:
			r.at++
		}
	}
}

// Calls are the calls of commands whose name fits, each up to its end: a pipe,
// a semicolon, the end of the line or a bracket that was open before.
func Calls(text, name string) (out []string) {
	clean := Code(text)
	for _, m := range regexp.MustCompile(`(?i)(?:^|[\s({|;&=,@])(`+name+`)\b`).FindAllStringSubmatchIndex(clean, -1) {
		end, depth := m[2], 0
	scan:
		for ; end < len(clean); end++ {
			switch c := clean[end]; c {
			case '(', '{':
				depth++
			case ')', '}':
				if depth--; depth < 0 {
					break scan
				}
			case '|', ';', '\n':
				if depth == 0 {
					break scan
				}
			}
		}
		out = append(out, strings.TrimSpace(clean[m[2]:end]))
	}
	return out
}

// Faults are the calls of a script that may go wrong unseen: a preference does
// not reach the functions of a module (rule 1.7).
func Faults(text string) (out []string) {
	lacks := func(call string, words ...string) {
		for _, word := range words {
			if !regexp.MustCompile(`(?i)\s` + regexp.QuoteMeta(word) + `(\s|$)`).MatchString(call) {
				out = append(out, fmt.Sprintf("%s: no %s", call, word))
			}
		}
	}
	for _, call := range Calls(text, `(?:Get|Add|Set|Remove|Invoke|Import|Export|Repair|Backup|Restore)-DhcpServer\w*`) {
		lacks(call, "-ErrorAction Stop")
		if !strings.HasPrefix(strings.ToLower(call), "get-") {
			lacks(call, "-WhatIf:$false", "-Confirm:$false")
		}
		if strings.HasPrefix(call, "Get-DhcpServerv4Failover") {
			lacks(call, "-ErrorVariable problems")
		}
	}
	for _, call := range Calls(text, `Import-Module|ConvertFrom-Json`) {
		lacks(call, "-ErrorAction Stop")
	}
	return out
}

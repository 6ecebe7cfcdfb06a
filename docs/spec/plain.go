package spec

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

var (
	link = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	item = regexp.MustCompile(`^ *(?:- |[0-9]+\. )`)
)

// Plain is the text for a terminal: links without their targets, paragraphs and
// items of lists wrapped at width characters, tables and code as they are.
func (r Rule) Plain(width int) string {
	p := plainText{width: width}
	fenced := false
	for line := range strings.Lines(link.ReplaceAllString(r.Text, "$1")) {
		line = strings.TrimRight(line, " \t\r\n")
		switch {
		case strings.HasPrefix(line, "```"):
			p.flush()
			fenced = !fenced
		case fenced, line == "", strings.HasPrefix(line, "|"), strings.HasPrefix(line, "#"):
			p.flush()
			p.out.WriteString(line + "\n")
		default:
			if item.MatchString(line) {
				p.flush()
				p.indent = len(item.FindString(line))
			}
			p.words = append(p.words, strings.Fields(line)...)
		}
	}
	p.flush()
	return strings.TrimRight(p.out.String(), "\n")
}

// plainText collects the words of a paragraph until it ends.
type plainText struct {
	out    strings.Builder
	width  int
	indent int // of all lines but the first
	words  []string
}

// flush writes the paragraph that was collected, if any.
func (p *plainText) flush() {
	column := 0
	for i, word := range p.words {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+n > p.width:
			p.out.WriteString("\n" + strings.Repeat(" ", p.indent))
			column = p.indent
		default:
			p.out.WriteByte(' ')
			column++
		}
		p.out.WriteString(word)
		column += n
	}
	if len(p.words) > 0 {
		p.out.WriteByte('\n')
	}
	p.words, p.indent = nil, 0
}

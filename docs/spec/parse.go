package spec

import (
	"regexp"
	"strings"
)

// heading is a heading that begins with an id: a letter id such as D-6b or
// NB-1.4, or the number of a section of the mirror's page, which may go on in
// small letters ("3.5 row 4", "3.7 guard c"); the title behind it begins with a
// capital.
var heading = regexp.MustCompile(`^(?:##|###) (?:([A-Z]{1,3}-[0-9]+(?:\.[0-9]+)?[a-z]?) (\S.*)|([0-9]+(?:\.[0-9]+)*(?: [a-z]+)*(?: [0-9]+)?) ([^a-z0-9\s].*))$`)

// parse finds the rules of one page. The text of a rule ends at the next
// heading of its level or a higher one, so that of a section has the finer
// rules in it.
func parse(page, text string) []Rule {
	var rules []Rule
	open := make(map[int]int) // level of a heading -> index of its rule
	started := make(map[int]int)
	offset, fenced := 0, false
	end := func(level int) {
		for l, at := range open {
			if l >= level {
				rules[at].Text = strings.TrimSpace(text[started[l]:offset])
				delete(open, l)
			}
		}
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		if level := levelOf(line); level > 0 && !fenced {
			end(level)
			if m := heading.FindStringSubmatch(strings.TrimRight(line, " \t\r\n")); m != nil {
				open[level], started[level] = len(rules), offset+len(line)
				rules = append(rules, Rule{ID: m[1] + m[3], Title: m[2] + m[4], Page: page})
			}
		}
		offset += len(line)
	}
	end(1)
	return rules
}

// levelOf is the number of # that make a line a heading; 0: it is none.
func levelOf(line string) int {
	rest := strings.TrimLeft(line, "#")
	if level := len(line) - len(rest); strings.HasPrefix(rest, " ") {
		return level
	}
	return 0
}

var (
	// divider is what may stand between the parts of an id. Which word it is says
	// nothing that the section does not.
	divider = regexp.MustCompile(`\s*(?:row|guard|step|quirk|point|[\s/])\s*`)
	letters = regexp.MustCompile(`^([a-z]+)[-/]?([0-9])`)
)

// key is the form in which ids are compared.
func key(id string) string {
	id = strings.Trim(strings.ToLower(id), " \t\r\n()[]`.,:;")
	id = strings.TrimSpace(strings.TrimPrefix(id, "rule "))
	return letters.ReplaceAllString(divider.ReplaceAllString(id, "/"), "$1-$2")
}

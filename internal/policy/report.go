package policy

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// Result is what came of one case.
type Result struct {
	Case
	Differs []string // empty: it passed
	Took    time.Duration
}

// Results are those of one file.
type Results struct {
	File  string
	Began time.Time
	List  []Result
}

// Failed counts the cases that differ.
func (r Results) Failed() (n int) {
	for _, one := range r.List {
		if len(one.Differs) > 0 {
			n++
		}
	}
	return n
}

// Formats are the names that Write knows.
func Formats() []string { return []string{"text", "tap", "junit"} }

// Write reports in one of the formats: for people, TAP 14, or JUnit's XML.
func (r Results) Write(w io.Writer, format string) error {
	switch format {
	case "tap":
		return r.tap(w)
	case "junit":
		return r.junit(w)
	}
	return r.text(w)
}

func (r Results) text(w io.Writer) error {
	for _, one := range r.List {
		verdict := "pass"
		if len(one.Differs) > 0 {
			verdict = "FAIL"
		}
		fmt.Fprintf(w, "%s  %s\n", verdict, shown(one.Name))
		for _, d := range one.Differs {
			fmt.Fprintf(w, "      %s\n", shown(d))
		}
		if len(one.Differs) > 0 {
			fmt.Fprintf(w, "      %s:%d\n", r.File, one.Line)
		}
	}
	failed := r.Failed()
	_, err := fmt.Fprintf(w, "%d passed, %d failed\n", len(r.List)-failed, failed)
	return err
}

// shown is text on one line, whatever is in it.
func shown(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
}

// tap writes TAP version 14 (https://testanything.org/tap-version-14-specification.html).
func (r Results) tap(w io.Writer) error {
	fmt.Fprintf(w, "TAP version 14\n1..%d\n", len(r.List))
	escape := strings.NewReplacer(`\`, `\\`, "#", `\#`)
	for i, one := range r.List {
		if len(one.Differs) == 0 {
			fmt.Fprintf(w, "ok %d - %s\n", i+1, escape.Replace(shown(one.Name)))
			continue
		}
		fmt.Fprintf(w, "not ok %d - %s\n  ---\n  at: %s\n  differs:\n", i+1, escape.Replace(shown(one.Name)), quoted(fmt.Sprintf("%s:%d", r.File, one.Line)))
		for _, d := range one.Differs {
			fmt.Fprintf(w, "    - %s\n", quoted(d))
		}
		fmt.Fprintln(w, "  ...")
	}
	_, err := fmt.Fprintf(w, "# %d passed, %d failed\n", len(r.List)-r.Failed(), r.Failed())
	return err
}

// quoted is text in double quotes, as JSON and YAML have it.
func quoted(text string) string {
	b, _ := json.Marshal(shown(text)) // text can always be encoded
	return string(b)
}

// What JUnit's XML looks like to the programs that read it.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string      `xml:"name,attr"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Errors    int         `xml:"errors,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Time      string      `xml:"time,attr"`
		Timestamp string      `xml:"timestamp,attr"`
		File      string      `xml:"file,attr"`
		Cases     []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Time    string        `xml:"time,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr"`
		Failure *junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

func (r Results) junit(w io.Writer) error {
	suite := junitSuite{Name: r.File, Tests: len(r.List), Failures: r.Failed(), Timestamp: r.Began.UTC().Format("2006-01-02T15:04:05"), File: r.File}
	var took time.Duration
	for _, one := range r.List {
		took += one.Took
		c := junitCase{Name: shown(one.Name), Class: "policy", Time: seconds(one.Took), File: r.File, Line: one.Line}
		if len(one.Differs) > 0 {
			c.Failure = &junitFailure{shown(one.Differs[0]), "differs", shown(strings.Join(one.Differs, "; "))}
		}
		suite.Cases = append(suite.Cases, c)
	}
	suite.Time = seconds(took)
	all := junitSuites{Name: "coredhcp-netbox test", Tests: suite.Tests, Failures: suite.Failures, Time: suite.Time, Suites: []junitSuite{suite}}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

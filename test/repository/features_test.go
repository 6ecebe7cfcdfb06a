package repository

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestEveryFeatureOfTheMirrorHasATest reads docs/sync/features.md: 55 rows, each
// naming a test (that it exists TestDocumentsNameOnlyWhatExists checks) or a
// story that is told.
func TestEveryFeatureOfTheMirrorHasATest(t *testing.T) {
	page, err := os.ReadFile(root + "/docs/sync/features.md")
	if err != nil {
		t.Fatal(err)
	}
	stories, err := os.ReadFile(root + "/sync/mirror/stories_test.go")
	if err != nil {
		t.Fatal(err)
	}
	next := 1
	for line := range strings.Lines(string(page)) {
		row := regexp.MustCompile(`^\| (\d+) \|`).FindStringSubmatch(line)
		if row == nil {
			continue
		}
		if row[1] != strconv.Itoa(next) {
			t.Errorf("row %s where %d is expected", row[1], next)
		}
		next++
		if !testRef.MatchString(line) {
			t.Errorf("row %s names no test", row[1])
		}
	}
	if next != 56 {
		t.Errorf("%d rows instead of 55", next-1)
	}
	for _, story := range regexp.MustCompile(`story "([^"]+)"`).FindAllStringSubmatch(string(page), -1) {
		if !strings.Contains(string(stories), `"`+story[1]+`"`) {
			t.Errorf("no such story: %q", story[1])
		}
	}
}

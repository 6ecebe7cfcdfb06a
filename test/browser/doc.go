// Package browser looks at the pages of both programs as people do, with a real browser:
// on a phone and on a desktop, by day and by night. It tests no rule that a page without
// a browser can show.
package browser

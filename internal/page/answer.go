package page

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
)

// Trouble is the answer to a program that cannot be given one.
type Trouble struct {
	Error string `json:"error"`
}

// JSON answers a program. Names of others in it are harmless on a terminal.
func (s *Site) JSON(w http.ResponseWriter, code int, v any) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		s.Log.WithError(err).Error("status page: an answer cannot be written")
		Line(w, http.StatusInternalServerError, "an answer cannot be written: see the log")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(printable.JSON(out.Bytes())) // the client may be gone
}

// Refuse tells a program what is wrong with its question.
func (s *Site) Refuse(w http.ResponseWriter, text string) {
	s.JSON(w, http.StatusBadRequest, Trouble{text})
}

// Line answers one line of text.
func Line(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text+"\n") // the client may be gone
}

// Cell is a text of others as a cell of a table that spreadsheets read. They take
// what begins with these characters for a formula.
func Cell(text string) string {
	text = printable.Text(text)
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

// Number reads a count of a query; absent is what it is where it is not given.
// False: it is no number from 0.
func Number(text string, absent int) (int, bool) {
	if text == "" {
		return absent, true
	}
	n, err := strconv.ParseInt(text, 10, 31)
	return int(n), err == nil && n >= 0
}

package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// writePages writes the manual pages and the completions of a program below
// folder: man/*.8.gz, completions/bash, zsh and fish (PK-7).
func (b *build) writePages(folder string, p product) error {
	root := p.command()
	root.DisableAutoGenTag = true // it carries today's date
	root.InitDefaultCompletionCmd()
	man := filepath.Join(folder, "man")
	if err := os.MkdirAll(man, 0o755); err != nil {
		return err
	}
	for _, c := range commands(root) {
		var page bytes.Buffer
		header := &doc.GenManHeader{Section: "8", Date: &b.date, Source: p.name + " " + b.version, Manual: p.title}
		if err := doc.GenMan(c, header, &page); err != nil {
			return err
		}
		name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".8.gz"
		if err := os.WriteFile(filepath.Join(man, name), compressed(tidy(page.Bytes())), 0o644); err != nil {
			return err
		}
	}
	return writeCompletions(filepath.Join(folder, "completions"), root)
}

// commands lists a command and all below it that people can use.
func commands(c *cobra.Command) []*cobra.Command {
	list := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && !sub.IsAdditionalHelpTopicCommand() {
			list = append(list, commands(sub)...)
		}
	}
	return list
}

// tidy leaves out what the machine of the build put in: the default of a flag may
// name a home.
func tidy(page []byte) []byte {
	if home, err := os.UserHomeDir(); err == nil && len(home) > 1 {
		page = bytes.ReplaceAll(page, []byte(home+"/"), []byte("$HOME/"))
	}
	return page
}

func writeCompletions(folder string, root *cobra.Command) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for shell, generate := range map[string]func(*bytes.Buffer) error{
		"bash": func(to *bytes.Buffer) error { return root.GenBashCompletionV2(to, true) },
		"zsh":  func(to *bytes.Buffer) error { return root.GenZshCompletion(to) },
		"fish": func(to *bytes.Buffer) error { return root.GenFishCompletion(to, true) },
	} {
		var text bytes.Buffer
		if err := generate(&text); err != nil {
			return fmt.Errorf("completions for %s: %w", shell, err)
		}
		if err := os.WriteFile(filepath.Join(folder, shell), text.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compressed is text as gzip -9n makes it: without name and time.
func compressed(text []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	// A buffer takes everything.
	_, _ = w.Write(text)
	_ = w.Close()
	return out.Bytes()
}

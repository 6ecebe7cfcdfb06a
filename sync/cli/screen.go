package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// screen is standard error. What is written goes above the progress bar. It is
// safe for concurrent use.
type screen struct {
	mu    sync.Mutex
	out   io.Writer
	bar   *progressbar.ProgressBar
	stage string
}

// Write writes lines where the progress bar stood, which comes back with the
// next progress.
func (s *screen) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	return s.out.Write(data)
}

// progress shows how far a stage is; total 0: not known.
func (s *screen) progress(stage string, done, total int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if total <= 0 {
		total = -1
	}
	if s.bar == nil || stage != s.stage {
		s.clear()
		s.stage = stage
		s.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(s.out), progressbar.OptionSetDescription(safeLines(stage)),
			progressbar.OptionShowCount(), progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetPredictTime(false), progressbar.OptionSetSpinnerChangeInterval(0)) // no goroutine of its own
	}
	if s.bar.GetMax() != total {
		s.bar.ChangeMax(total)
	}
	if total < 0 || done < total { // a full bar would end
		_ = s.bar.Set(done)
	}
}

func (s *screen) endProgress() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	s.bar = nil
}

// clear wipes the line of the bar; the caller holds mu.
func (s *screen) clear() {
	if s.bar != nil {
		_ = s.bar.Clear()
	}
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// width is how many characters fit on a line of a stream; 0: no limit.
func width(stream any) int {
	f, ok := stream.(*os.File)
	if !ok {
		return 0
	}
	n, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return n
}

// asksPeople reports whether an operator sits at the terminal to answer a question.
func (p *program) asksPeople() bool { return p.terminal(p.stdin) && p.terminal(p.screen.out) }

// confirmed asks a person whether to go on, unless yes says so already.
// Without a person the answer is no, and how to say yes is told.
func (p *program) confirmed(ctx context.Context, yes bool, question string) (bool, error) {
	p.screen.endProgress()
	if yes {
		return true, nil
	}
	if !p.asksPeople() {
		fmt.Fprintln(p.screen, "Nothing was done. Run again with --yes to carry this out.")
		return false, nil
	}
	fmt.Fprintf(p.screen, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() { // ends with the program: a read of a terminal cannot be cancelled
		line, _ := bufio.NewReader(p.stdin).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(p.screen)
		return false, ctx.Err()
	case a := <-answer:
		if a == "y" || a == "yes" {
			return true, nil
		}
	}
	fmt.Fprintln(p.screen, "Nothing was done.")
	return false, nil
}

package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"
)

// confirms asks a question and reports whether the answer is y or yes. No answer
// is a no, and so is the end of ctx.
func (std stdio) confirms(ctx context.Context, question string) bool {
	fmt.Fprintf(std.err, "%s [y/N] ", question)
	answered := make(chan string, 1)
	go func() { // which ctx cannot end; the program does
		line, _ := bufio.NewReader(std.in).ReadString('\n') // what comes before an end is an answer, too
		answered <- line
	}()
	line := ""
	select {
	case line = <-answered:
	case <-ctx.Done():
	}
	if !strings.HasSuffix(line, "\n") || !isTerminal(std.in) { // nobody has ended the line
		fmt.Fprintln(std.err)
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true
	}
	return false
}

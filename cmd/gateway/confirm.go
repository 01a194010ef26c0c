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
	// What comes before an end is an answer, too.
	line, _ := awaitInput(ctx, func() (string, error) { return bufio.NewReader(std.in).ReadString('\n') })
	if !strings.HasSuffix(line, "\n") || !isTerminal(std.in) { // nobody has ended the line
		fmt.Fprintln(std.err)
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true
	}
	return false
}

// awaitInput returns what read returns, or the error of ctx when that ends first. Then
// read goes on, which only the end of the program ends.
func awaitInput[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type input struct {
		value T
		err   error
	}
	came := make(chan input, 1)
	go func() {
		value, err := read()
		came <- input{value, err}
	}()
	select {
	case in := <-came:
		return in.value, in.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

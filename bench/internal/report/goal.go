package report

import "fmt"

// Goal says whether an aim that the project set itself is met.
func Goal(aim string, got float64, met bool) string {
	verdict := "met"
	if !met {
		verdict = "**missed**"
	}
	return fmt.Sprintf("Goal: %s. Measured %s: %s.", aim, Number(got), verdict)
}

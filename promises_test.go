package assets_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPromisesNameTheirTests holds docs/promises.md to its word: each row of a
// table names a test that holds it, behind the package that has it.
func TestPromisesNameTheirTests(t *testing.T) {
	page, err := os.ReadFile("docs/promises.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`(\\.|client|cmd/\\w+|internal/\\w+|Test\\w+)`")
	for row := range strings.Lines(string(page)) {
		cells := strings.Split(strings.TrimSpace(row), " | ")
		if len(cells) < 2 || strings.HasPrefix(row, "| ---") || strings.Contains(row, "held by") {
			continue
		}
		tests, source := 0, ""
		for _, found := range names.FindAllStringSubmatch(cells[len(cells)-1], -1) {
			name := found[1]
			if !strings.HasPrefix(name, "Test") {
				source = testsOf(t, name)
				continue
			}
			tests++
			if !strings.Contains(source, "\nfunc "+name+"(t *testing.T) {") {
				t.Errorf("there is no %s that holds: %s", name, cells[0])
			}
		}
		if tests == 0 {
			t.Errorf("no test is named that holds: %s", cells[0])
		}
	}
}

// testsOf returns the text of all tests of a package.
func testsOf(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

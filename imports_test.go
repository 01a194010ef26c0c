package assets_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/replication-gateway/gateway"

// mayImport is the direction of the house: who may import which of our own
// packages.
var mayImport = map[string][]string{
	"":                     {},
	"client":               {"internal/directory"},
	"cmd/gateway":          {"", "client", "internal/api", "internal/gateway", "internal/directory", "internal/follow", "internal/load", "internal/wal", "internal/wholefile"},
	"internal/api":         {"internal/gateway", "internal/directory", "internal/hub"},
	"internal/follow":      {"client", "internal/directory", "internal/gateway", "internal/wholefile"},
	"internal/gateway":     {"internal/directory", "internal/hub", "internal/wal", "internal/wholefile"},
	"internal/directory":   {},
	"internal/hub":         {},
	"internal/load":        {},
	"internal/hub/hubtest": {},
	"internal/wal":         {},
	"internal/wholefile":   {},
	"internal/wal/waltest": {"internal/wal"},
}

// onlyIn says which libraries belong to one package alone.
var onlyIn = map[string][]string{
	"net/http":                               {"client", "internal/api", "cmd/gateway"},
	"github.com/coder/websocket":             {"client", "internal/api"},
	"github.com/go-chi/chi/v5":               {"internal/api"},
	"github.com/tidwall/btree":               {"internal/directory"},
	"github.com/rs/zerolog":                  {"internal/api", "internal/follow", "internal/gateway", "cmd/gateway"},
	"github.com/go-playground/validator/v10": {"internal/api"},
}

// impure is what the state may not touch. Of packages time and sync it may use
// what knows no clock and no lock, see TestStateHasNoClockAndNoLocks.
var impure = []string{"os", "net", "sync/atomic", "context", "log", "math/rand", "math/rand/v2", "crypto/rand", "io"}

func TestImportsGoOneWay(t *testing.T) {
	packages := list(t)
	for name, imports := range packages {
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("package %q is not in the house plan", name)
			continue
		}
		for _, imp := range imports {
			own, isOwn := strings.CutPrefix(imp, module)
			own = strings.TrimPrefix(own, "/")
			if isOwn && !slices.Contains(allowed, own) {
				t.Errorf("%s imports %q, may import %q of ours", name, own, allowed)
			}
			if homes, limited := onlyIn[imp]; limited && !slices.Contains(homes, name) {
				t.Errorf("%s imports %s, which belongs to %q", name, imp, homes)
			}
			if name == "internal/directory" && slices.Contains(impure, imp) {
				t.Errorf("the state imports %s", imp)
			}
		}
	}
	for name := range mayImport {
		if _, exists := packages[name]; !exists {
			t.Errorf("the house plan names %q, which is not there", name)
		}
	}
}

func TestStateHasNoClockAndNoLocks(t *testing.T) {
	files, err := filepath.Glob("internal/directory/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	used := regexp.MustCompile(`\b(sync\.\w+|time\.(Now|Since|Until|Sleep|After|AfterFunc|Tick|NewTicker|NewTimer))\b`)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range used.FindAllString(string(b), -1) {
			if name != "sync.Pool" {
				t.Errorf("%s uses %s", file, name)
			}
		}
	}
}

// list returns the imports of each of our packages, tests apart.
func list(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	packages := map[string][]string{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		packages[name] = p.Imports
	}
	return packages
}

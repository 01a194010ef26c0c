package follow

import (
	"crypto/rand"
	"path/filepath"
	"strings"

	"github.com/replication-gateway/gateway/internal/wholefile"
)

// idFile holds the name under which a standby acknowledges, made once.
const idFile = "standby-id"

// standbyID returns the name of the standby whose data folder dir is.
func standbyID(dir string) (string, error) {
	return wholefile.Word(filepath.Join(dir, idFile), func() string { return strings.ToLower(rand.Text()[:16]) })
}

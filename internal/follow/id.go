package follow

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/replication-gateway/gateway/internal/wholefile"
)

// idFile holds the name under which a standby acknowledges, made once.
const idFile = "standby-id"

// standbyID returns the name of the standby whose data folder dir is.
func standbyID(dir string) (string, error) {
	path := filepath.Join(dir, idFile)
	b, err := os.ReadFile(path)
	if err == nil {
		id := strings.TrimSpace(string(b))
		if id == "" {
			return "", fmt.Errorf("%s is empty: delete it to have a new name made", path)
		}
		return id, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	id := strings.ToLower(rand.Text()[:16])
	return id, wholefile.WriteString(path, id+"\n")
}

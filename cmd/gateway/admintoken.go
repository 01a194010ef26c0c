package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/replication-gateway/gateway/internal/wholefile"
)

// adminTokenFile is where a generated admin token is kept, in the data folder.
const adminTokenFile = "admin-token"

// adminToken returns the admin token of the data folder dir, and makes it at
// the first start. The folder's lock must be held.
func adminToken(dir string) (string, error) {
	path := filepath.Join(dir, adminTokenFile)
	b, err := os.ReadFile(path)
	if err == nil {
		token := strings.TrimSpace(string(b))
		if token == "" {
			return "", fmt.Errorf("%s is empty: delete it to have a new token made", path)
		}
		return token, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	secret := make([]byte, 32)
	rand.Read(secret)
	token := base64.RawURLEncoding.EncodeToString(secret)
	if err := wholefile.WriteString(path, token+"\n"); err != nil {
		return "", fmt.Errorf("keep the admin token: %w", err)
	}
	return token, nil
}

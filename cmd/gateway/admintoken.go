package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"path/filepath"

	"github.com/replication-gateway/gateway/internal/wholefile"
)

// adminTokenFile is where a generated admin token is kept, in the data folder.
const adminTokenFile = "admin-token"

// adminToken returns the admin token of the data folder dir, and makes it at
// the first start. The folder's lock must be held.
func adminToken(dir string) (string, error) {
	token, err := wholefile.Word(filepath.Join(dir, adminTokenFile), func() string {
		secret := make([]byte, 32)
		rand.Read(secret)
		return base64.RawURLEncoding.EncodeToString(secret)
	})
	if err != nil {
		return "", fmt.Errorf("admin token: %w", err)
	}
	return token, nil
}

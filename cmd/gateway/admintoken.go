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

// leastAdminToken is how many characters it has at least, or part of it is gone.
const leastAdminToken = 16

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
	if path := filepath.Join(dir, adminTokenFile); len(token) < leastAdminToken || validateToken(path, token) != nil {
		return "", fmt.Errorf("admin token: %s holds none, it is damaged: delete it to have a new one made", path)
	}
	return token, nil
}

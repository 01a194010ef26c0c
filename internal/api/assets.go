package api

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

// asset is a file that is served as it is.
type asset struct {
	content     []byte
	contentType string
	etag        string
	page        bool
}

// contentTypes are those of our files; what the operating system knows of
// others differs from host to host.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
	".yaml": "application/yaml",
}

// mustLoadAssets reads all that is served as it is, by path: the dashboard at
// its root, client.js, the folder assets, and the API description.
func mustLoadAssets(files fs.FS, openAPI []byte) map[string]*asset {
	assets := map[string]*asset{"/openapi.yaml": newAsset("openapi.yaml", openAPI)}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		switch {
		case name == "index.html":
			assets["/"] = newAsset(name, content)
		case name == "client.js" || strings.HasPrefix(name, "assets/"):
			assets["/"+name] = newAsset(name, content)
		}
		return nil
	})
	if err != nil {
		panic(fmt.Sprintf("api: read assets: %v", err))
	}
	return assets
}

func newAsset(name string, content []byte) *asset {
	sum := sha256.Sum256(content)
	ext := path.Ext(name)
	return &asset{
		content:     content,
		contentType: cmp.Or(contentTypes[ext], mime.TypeByExtension(ext), "application/octet-stream"),
		etag:        `"` + hex.EncodeToString(sum[:12]) + `"`,
		page:        ext == ".html",
	}
}

func (s *Server) serveAsset(c *call) error {
	a := s.assets[c.URL.Path]
	if a == nil {
		return errNotFound
	}
	h := c.header()
	h.Set("Content-Type", a.contentType)
	h.Set("ETag", a.etag)
	h.Set("Cache-Control", "no-cache") // to be asked for anew, mostly with a 304
	if a.page {
		h.Set("Content-Security-Policy", pagePolicy)
	}
	if c.URL.Path == "/client.js" {
		h.Set("Access-Control-Allow-Origin", "*") // any page may import it
	}
	for _, condition := range []string{"Range", "If-Range", "If-Match", "If-Unmodified-Since"} {
		c.Header.Del(condition) // of use for what is long or is written to
	}
	http.ServeContent(c.w, c.Request, "", time.Time{}, bytes.NewReader(a.content))
	return nil
}

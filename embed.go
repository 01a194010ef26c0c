// Package assets holds the files that the gateway serves and that are read by
// people as well: the dashboard, the browser client and the API description.
package assets

import (
	"embed"
	"io/fs"
)

//go:embed web/index.html web/client.js web/assets
var web embed.FS

// OpenAPI is openapi.yaml.
//
//go:embed openapi.yaml
var OpenAPI []byte

// Web returns the folder web: index.html, client.js and assets.
func Web() fs.FS {
	sub, err := fs.Sub(web, "web")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}

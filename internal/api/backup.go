package api

import (
	"fmt"
	"net/http"
)

// backup answers with the whole state as one snapshot file. The state is
// frozen: writing goes on meanwhile, and none of it is in the file.
func (s *Server) backup(c *call) error {
	state, position, err := s.read(c)
	if err != nil {
		return err
	}
	h := c.header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="gateway-%s-%d.snapshot"`, position.Epoch, position.SeqNo))
	c.w.WriteHeader(http.StatusOK)
	if c.Method == http.MethodHead {
		return nil
	}
	if err := s.options.Gateway.WriteSnapshot(c.w, state, position); err != nil {
		panic(http.ErrAbortHandler) // the reader is gone or is to ask again, and must not take the file for whole
	}
	return nil
}

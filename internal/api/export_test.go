package api

import (
	"bytes"

	"github.com/replication-gateway/gateway/internal/directory"
)

// Decode gives tests the decoder of bodies without a request around it.
func Decode(b []byte, v any, maxList int) (faults []string, err error) {
	var f faultList
	d := newDecoder(&f)
	defer d.free()
	err = d.decode(bytes.NewReader(b), int64(len(b)), v, "", maxList)
	for _, fault := range f.list {
		faults = append(faults, fault.Pointer+" "+fault.Code)
	}
	return faults, err
}

type faultList = faults

// Paced gives tests the pace of bodies with a handler of their own.
var Paced = paced

// RouteLine is a line of the route table.
type RouteLine struct {
	Method, Pattern string
	Query           []string
	Roles           []directory.AccessRole // nil for all the world
}

// RouteTable returns the route table.
func RouteTable() (lines []RouteLine) {
	for _, r := range routes {
		lines = append(lines, RouteLine{r.method, r.pattern, r.query, r.access})
	}
	return lines
}

// Leaving returns how many streams have left something to the collector since it came.
func (s *Server) Leaving() uint64 {
	s.leftovers.mu.Lock()
	defer s.leftovers.mu.Unlock()
	return s.leftovers.opened
}

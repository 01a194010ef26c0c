package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/replication-gateway/gateway/internal/directory"
)

// call is one request on its way. Reading its parts gathers what is wrong with
// them; refusal says so once all have been read.
type call struct {
	*http.Request
	w     *recorder
	start time.Time
	id    string // X-Request-Id
	route string // pattern, or empty when there is none
	who   caller
	query url.Values

	hard   error // of the body, outranks the faults
	faults faults

	reported bool // to log and metrics
}

// callOf returns the call that the outermost middleware made.
func callOf(w http.ResponseWriter) *call { return w.(*recorder).call }

func (c *call) header() http.Header { return c.w.Header() }

// refusal returns what is wrong with the parts of the request read so far.
func (c *call) refusal() error {
	if c.hard != nil {
		return c.hard
	}
	return c.faults.err()
}

// readQuery parses the query and finds fault with parameters that are not
// known.
func (c *call) readQuery(known []string) {
	if c.URL.RawQuery == "" {
		return
	}
	var err error
	if c.query, err = url.ParseQuery(c.URL.RawQuery); err != nil {
		c.faults.add("", "query", "the query is not well-formed")
	}
	for name := range c.query {
		if !slices.Contains(known, name) {
			c.faults.add(pointer("", name), "unknown", "no such query parameter")
		}
	}
}

// single returns the value of a query parameter, false when it is not there.
func (c *call) single(name string) (string, bool) {
	values := c.query[name]
	if len(values) > 1 {
		c.faults.add(pointer("", name), "once", "stands more than once in the query")
	}
	if len(values) == 0 {
		return "", false
	}
	return values[0], true
}

// networkID returns the network that the path names.
func (c *call) networkID() uint16 {
	return uint16(c.number("network_id", "path", chi.URLParam(c.Request, "network_id"), 1, 1<<16-1))
}

// nodeID returns the node that the path names.
func (c *call) nodeID() uint32 {
	return uint32(c.number("node_id", "path", chi.URLParam(c.Request, "node_id"), 1, 1<<32-1))
}

// maxFilter is how many networks a query may name.
const maxFilter = 1000

// networkFilter returns the networks that the query names, nil for none.
func (c *call) networkFilter() []uint16 {
	var ids []uint16
	if len(c.query["network_id"]) > maxFilter {
		c.faults.add("/network_id", "max", fmt.Sprintf("the query parameter may be given %d times at most", maxFilter))
		return nil
	}
	for _, v := range c.query["network_id"] {
		ids = append(ids, uint16(c.number("network_id", "query", v, 1, 1<<16-1)))
	}
	return ids
}

// number parses a whole number of a path or query within bounds. It returns 0
// when it finds fault.
func (c *call) number(name, where, text string, least, most uint64) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	switch {
	case err != nil || n > most:
		c.faults.add(pointer("", name), "type", fmt.Sprintf("the %s parameter must be a whole number from %d to %d", where, least, most))
	case n < least:
		c.faults.add(pointer("", name), "min", fmt.Sprintf("the %s parameter must be a whole number from %d to %d", where, least, most))
	default:
		return n
	}
	return 0
}

// same finds fault with a key field of a body that contradicts the path.
func same[K comparable](c *call, name string, inBody *K, inPath K) {
	if inBody != nil && *inBody != inPath {
		c.faults.add(pointer("", name), "mismatch", "is not what the path says")
	}
}

// view returns what the caller may see, narrowed to the networks of a filter,
// which must be in reach.
func (c *call) view(filter ...uint16) directory.View {
	if len(filter) > 0 {
		return directory.NewView(c.who.role, filter...)
	}
	return directory.NewView(c.who.role, c.who.networks...)
}

// reach is errForbidden when one of the networks is not the caller's.
func (c *call) reach(networks ...uint16) error {
	all := c.view()
	for _, id := range networks {
		if !all.SeesNetwork(id) {
			return fmt.Errorf("%w: network %d is out of reach", errForbidden, id)
		}
	}
	return nil
}

// minPosition is the header by which a read asks to wait for a position.
const minPosition = "Gateway-Min-Position"

// read is for reads, when all parts of the request have been read: it refuses
// what is wrong with them and networks out of reach, waits for the position
// asked for, and returns the state to answer from. The answer's
// Gateway-Position is set.
func (s *Server) read(c *call, networks ...uint16) (*directory.State, directory.Position, error) {
	least, asked := directory.Position{}, c.Header.Get(minPosition)
	if len(c.Header.Values(minPosition)) > 1 {
		c.faults.add(pointer("", minPosition), "once", "the header must be given once")
	} else if asked != "" {
		var err error
		if least, err = directory.ParsePosition(asked); err != nil {
			c.faults.add(pointer("", minPosition), "position", "the header must be EPOCH:SEQ_NO")
		}
	}
	if err := c.refusal(); err != nil {
		return nil, least, err
	}
	if err := c.reach(networks...); err != nil {
		return nil, least, err
	}
	if asked != "" {
		if err := s.options.Gateway.Await(c.Context(), least); err != nil {
			return nil, least, err
		}
	}
	state, position := s.options.Gateway.State()
	c.setPosition(position)
	return state, position, nil
}

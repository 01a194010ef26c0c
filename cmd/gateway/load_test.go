package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
)

// fleetLoad is writers that put new nodes at a gateway, whatever it answers, and
// know which were acknowledged. Each node is a commit.
type fleetLoad struct {
	writers sync.WaitGroup
	stop    chan struct{}
	mu      sync.Mutex
	acked   []uint32
	more    sync.Cond
}

func (l *fleetLoad) begin(p *process, nodes *atomic.Uint32) {
	l.stop, l.more.L = make(chan struct{}), &l.mu
	for range 4 {
		l.writers.Go(func() {
			for {
				select {
				case <-l.stop:
					return
				default:
				}
				node := nodes.Add(1)
				if status := put(p, node); status == http.StatusOK {
					l.mu.Lock()
					l.acked = append(l.acked, node)
					l.more.Broadcast()
					l.mu.Unlock()
				}
			}
		})
	}
}

// put makes a node and returns the status of the answer, 0 without one.
func put(p *process, node uint32) int {
	status, _ := p.callContext(p.t.Context(), "PUT", fmt.Sprint("/nodes/", node), map[string]any{"hostname": fmt.Sprint("n", node)})
	return status
}

// await waits for so many more acknowledged writes.
func (l *fleetLoad) await(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for enough := len(l.acked) + n; len(l.acked) < enough; {
		l.more.Wait()
	}
}

// soFar returns the nodes that are acknowledged by now.
func (l *fleetLoad) soFar() []uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.acked)
}

func (l *fleetLoad) end() {
	close(l.stop)
	l.writers.Wait()
}

// check looks for all that was acknowledged.
func (l *fleetLoad) check(p *process) {
	p.t.Helper()
	p.holds(l.acked)
}

// holds fails the test unless the gateway has the nodes.
func (p *process) holds(nodes []uint32) {
	p.t.Helper()
	if lost := missing(nodes, p.nodes()); len(lost) > 0 {
		p.t.Fatalf("%d nodes were acknowledged and are gone: %v\n%s", len(lost), lost, p.log())
	}
}

// nodes are the nodes that the gateway shows.
func (p *process) nodes() map[uint32]bool {
	p.t.Helper()
	var shown struct {
		Snapshot struct {
			Nodes []struct {
				NodeID uint32 `json:"node_id"`
			}
		}
	}
	if err := json.Unmarshal(p.must("GET", "/snapshot", nil), &shown); err != nil {
		p.t.Fatal(err)
	}
	nodes := make(map[uint32]bool, len(shown.Snapshot.Nodes))
	for _, n := range shown.Snapshot.Nodes {
		nodes[n.NodeID] = true
	}
	return nodes
}

// missing are those of the nodes that are not held.
func missing(nodes []uint32, held map[uint32]bool) (lost []uint32) {
	for _, n := range nodes {
		if !held[n] {
			lost = append(lost, n)
		}
	}
	return lost
}

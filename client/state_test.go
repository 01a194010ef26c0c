package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/replication-gateway/gateway/client"
	"github.com/replication-gateway/gateway/internal/directory"
)

func TestStateHoldsWhatItsStreamShows(t *testing.T) {
	for _, compression := range []bool{false, true} {
		t.Run(fmt.Sprint("compression ", compression), func(t *testing.T) {
			h := start(t)
			do(h, putNetwork(7))
			do(h, putNetwork(8))
			do(h, batch(100, 400, 1000)) // a snapshot in several parts
			do(h, join(7, 100))
			viewer, _ := h.token(directory.AccessViewer)
			limited, _ := h.token(directory.AccessViewer, 7)
			replica, _ := h.token(directory.AccessReplica)

			readers := map[directory.AccessRole]*client.State{}
			narrow := client.NewState()
			for role, token := range map[directory.AccessRole]string{
				directory.AccessAdmin: adminToken, directory.AccessViewer: viewer, directory.AccessReplica: replica,
			} {
				readers[role] = client.NewState()
				o := h.client(token)
				o.Compression = compression
				follow(t, o, watch(t, readers[role]))
			}
			follow(t, h.client(limited), watch(t, narrow))
			_, first := h.gateway.State()
			for _, s := range readers {
				reached(t, s, first)
			}
			reached(t, narrow, first)

			do(h, batch(10_000, 400, 1000)) // a commit in several frames
			do(h, join(8, 100))
			do(h, directory.DeleteMember{NetworkID: 7, NodeID: 100})
			do(h, join(7, 10_001))
			do(h, directory.DeleteNode{NodeID: 101})
			last := do(h, directory.PutAssignment{Assignment: directory.Assignment{NetworkID: 7, ExternalID: "Ann", Role: directory.RoleAdmin}})
			for role, s := range readers {
				h.same(reached(t, s, last), role)
			}
			h.same(reached(t, narrow, last), directory.AccessViewer, 7)
			state, _ := h.gateway.State()
			if v := readers[directory.AccessReplica].View(); v.Digest() != state.Digest() {
				t.Errorf("digest %x, want %x", v.Digest(), state.Digest())
			}
		})
	}
}

func TestViewAnswers(t *testing.T) {
	h := start(t)
	do(h, putNetwork(7))
	do(h, putNetwork(8))
	do(h, directory.PutNode{Node: directory.Node{NodeID: 1, Hostname: "one", ExternalID: "Ann"}})
	do(h, directory.PutNode{Node: directory.Node{NodeID: 2, Hostname: "two", ExternalID: "ann"}})
	do(h, join(7, 2))
	do(h, join(8, 2))
	do(h, directory.PutMember{NetworkID: 7, NodeID: 1, Role: directory.RoleOwner})
	last := do(h, directory.PutAssignment{Assignment: directory.Assignment{NetworkID: 8, ExternalID: "Bob", Role: directory.RoleAdmin}})
	s := client.NewState()
	if v := s.View(); v.Position() != (client.Position{}) || v.Node(1) != nil || len(lines(v)) != 0 || !errors.Is(s.Stale(), client.ErrNoState) {
		t.Errorf("before the first frame: %v, stale %v", lines(v), s.Stale())
	}
	follow(t, h.client(adminToken), s)
	v := reached(t, s, last)

	ids := func(nodes func(func(*client.Node) bool)) (list []uint32) {
		for n := range nodes {
			list = append(list, n.NodeID)
		}
		return list
	}
	var networks, members, assigned []string
	for n := range v.Networks() {
		networks = append(networks, n.Name)
	}
	for m := range v.Members(7) {
		members = append(members, fmt.Sprint(m.NodeID, m.Role))
	}
	for a := range v.Assignments(8) {
		assigned = append(assigned, a.ExternalID)
	}
	for name, ok := range map[string]bool{
		"Position":    v.Position() == last,
		"Network":     v.Network(7).Name == "network 7" && v.Network(9) == nil,
		"Node":        v.Node(1).Hostname == "one" && v.Node(3) == nil,
		"Member":      v.Member(7, 1).Role == client.RoleOwner && v.Member(8, 1) == nil,
		"Assignment":  v.Assignment(8, "BOB").Role == client.RoleAdmin && v.Assignment(7, "Bob") == nil,
		"User":        v.User(7, "ann") == nil,
		"Sync":        v.Sync(7) == nil,
		"Networks":    slices.Equal(networks, []string{"network 7", "network 8"}),
		"Nodes":       slices.Equal(ids(v.Nodes()), []uint32{1, 2}),
		"NodesOf":     slices.Equal(ids(v.NodesOf("ANN")), []uint32{1, 2}),
		"Members":     slices.Equal(members, []string{"1 owner", "2 member"}),
		"NetworksOf":  slices.Equal(slices.Collect(v.NetworksOf(2)), []uint16{7, 8}),
		"Assignments": slices.Equal(assigned, []string{"Bob"}),
		"Users":       len(slices.Collect(v.Users(7))) == 0,
	} {
		if !ok {
			t.Errorf("%s is wrong", name)
		}
	}
	if s.Stale() != nil {
		t.Errorf("stale: %v", s.Stale())
	}
}

// TestReadersSeeWholeCommits has readers compare rows that every commit changes
// together, while commits and fresh snapshots come in.
func TestReadersSeeWholeCommits(t *testing.T) {
	h := start(t)
	const rows = 300 // too many for one frame
	round := func(i int) client.Position { return do(h, renamed(rows, fmt.Sprintf("%01000d", i))) }
	first := round(0)
	s := client.NewState()
	stop := follow(t, h.client(adminToken), watch(t, s))
	reached(t, s, first)

	ctx, cancel := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			last := s.View()
			for {
				v, err := s.Next(ctx, last)
				if err != nil {
					return
				}
				if v.Position().SeqNo < last.Position().SeqNo {
					t.Errorf("went back from %v to %v", last.Position(), v.Position())
				}
				want := v.Node(1).Hostname
				for n := range v.Nodes() {
					if n.Hostname != want {
						t.Errorf("at %v node %d is of another commit than node 1", v.Position(), n.NodeID)
						break
					}
				}
				last = v
			}
		})
	}
	var last client.Position
	for i := 1; i <= 12; i++ {
		last = round(i)
		if i%4 == 0 {
			h.proxy.cutAll()
		}
	}
	h.same(reached(t, s, last), directory.AccessAdmin)
	cancel()
	readers.Wait()
	if err := stop(); !errors.Is(err, context.Canceled) || !errors.Is(s.Stale(), context.Canceled) {
		t.Errorf("ended with %v, stale %v", err, s.Stale())
	}
}

// renamed gives the nodes up to n one hostname, in one commit.
func renamed(n int, hostname string) directory.Batch {
	var b directory.Batch
	for i := range n {
		b.Ops = append(b.Ops, directory.OpOf(putNode(uint32(i+1), hostname)))
	}
	return b
}

func TestWaitingForAPosition(t *testing.T) {
	h := start(t)
	s := client.NewState()
	follow(t, h.client(adminToken), s)
	first := do(h, putNode(1, "one"))
	reached(t, s, first)

	t.Run("a later one", func(t *testing.T) {
		got := make(chan *client.View)
		later := client.Position{Epoch: first.Epoch, SeqNo: first.SeqNo + 2}
		go func() { got <- reached(t, s, later) }()
		do(h, putNode(2, "two"))
		do(h, putNode(3, "three"))
		if v := <-got; v.Node(3) == nil || v.Position() != later {
			t.Errorf("came back at %v", v.Position())
		}
	})
	t.Run("given up", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("enough")
		cancel(cause)
		if _, err := s.Reached(ctx, client.Position{Epoch: first.Epoch, SeqNo: 99}); !errors.Is(err, cause) {
			t.Errorf("a position to come: %v", err)
		}
		if _, err := s.Reached(ctx, client.Position{Epoch: "another", SeqNo: 1}); !errors.Is(err, cause) {
			t.Errorf("an epoch to come: %v", err)
		}
		if _, err := s.Next(ctx, s.View()); !errors.Is(err, cause) {
			t.Errorf("a view to come: %v", err)
		}
		if v, err := s.Next(ctx, nil); v != s.View() || err != nil {
			t.Errorf("the newest view: %v", err)
		}
	})
}

package client_test

import (
	"context"
	"fmt"
	"log"

	"github.com/replication-gateway/gateway/client"
	"github.com/replication-gateway/gateway/internal/directory"
)

// A copy of the state that is kept up to date.
func Example() {
	g := openGateway()
	defer g.close()
	ctx, cancel := context.WithCancel(context.Background())

	state := client.NewState()
	ended := make(chan error)
	go func() {
		ended <- client.Subscribe(ctx, client.Options{URL: g.url, Token: g.token}, state)
	}()

	// Wait for what was just written, and read it.
	position := write(g, directory.PutNetwork{Network: directory.Network{NetworkID: 7, Name: "laboratory"}})
	view, err := state.Reached(ctx, position)
	if err != nil {
		log.Fatal(err)
	}
	for network := range view.Networks() {
		fmt.Println(network.NetworkID, network.Name)
	}

	cancel()
	fmt.Println(<-ended)
	// Output:
	// 7 laboratory
	// context canceled
}

// joiners tells who joins and leaves, beside keeping the state.
type joiners struct{ *client.State }

func (j joiners) Delta(ctx context.Context, delta *client.Delta) error {
	before := j.View()
	if err := j.State.Delta(ctx, delta); err != nil {
		return err
	}
	for _, commit := range delta.Commits {
		entries, err := commit.Decode()
		if err != nil {
			return err
		}
		for _, e := range entries {
			switch e.Type.String() {
			case "member.put":
				if before.Member(e.NetworkID, e.NodeID) == nil { // and not only with another role
					fmt.Printf("node %d joins network %d\n", e.NodeID, e.NetworkID)
				}
			case "member.delete":
				fmt.Printf("node %d leaves network %d\n", e.NodeID, e.NetworkID)
			}
		}
	}
	return nil
}

// A State whose changes are acted on. The methods of Handler that are not written
// anew are those of the State.
func ExampleHandler() {
	g := openGateway()
	defer g.close()
	write(g, directory.PutNetwork{Network: directory.Network{NetworkID: 7, Name: "laboratory"}})
	position := write(g, directory.PutNode{Node: directory.Node{NodeID: 42, Hostname: "microscope"}})

	ctx, cancel := context.WithCancel(context.Background())
	handler := joiners{client.NewState()}
	ended := make(chan error)
	go func() {
		ended <- client.Subscribe(ctx, client.Options{URL: g.url, Token: g.token, Networks: []uint16{7}}, handler)
	}()
	if _, err := handler.Reached(ctx, position); err != nil {
		log.Fatal(err)
	}

	write(g, directory.PutMember{NetworkID: 7, NodeID: 42})
	position = write(g, directory.DeleteMember{NetworkID: 7, NodeID: 42})
	if _, err := handler.Reached(ctx, position); err != nil {
		log.Fatal(err)
	}
	cancel()
	<-ended
	// Output:
	// node 42 joins network 7
	// node 42 leaves network 7
}

// One connection, frame by frame.
func ExampleDial() {
	g := openGateway()
	defer g.close()
	since := write(g, directory.PutNetwork{Network: directory.Network{NetworkID: 7, Name: "laboratory"}})
	write(g, directory.PutNode{Node: directory.Node{NodeID: 42, Hostname: "microscope"}})

	ctx := context.Background()
	conn, err := client.Dial(ctx, client.Options{URL: g.url, Token: g.token, Since: &since})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	for {
		frame, err := conn.Next(ctx)
		if err != nil {
			log.Fatal(err)
		}
		switch f := frame.(type) {
		case *client.Heartbeat:
			fmt.Println("resumed:", *f.Resumed, "at", f.SeqNo)
		case *client.Delta:
			for _, commit := range f.Commits {
				for _, entry := range commit.Entries {
					fmt.Println(entry.SeqNo, entry.Type)
				}
			}
			return
		}
	}
	// Output:
	// resumed: true at 1
	// 2 node.put
}

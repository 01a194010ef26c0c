// Package client follows a replication gateway: it reads the stream of
// GET /subscribe, keeps a local copy of the state where that is wanted, and goes
// on through restarts, lost networks and promotions.
//
// There are three ways to use it, each built on the next:
//
//   - [State] with [Subscribe]: a copy of networks, nodes and members that is kept
//     up to date and may be read by any number of goroutines.
//   - A [Handler] with [Subscribe]: snapshots and commits as they come, for who
//     keeps them elsewhere.
//   - [Dial] and [Conn.Next]: one connection, frame by frame.
//
// The first of them in full:
//
//	state := client.NewState()
//	empty := state.View()
//	go func() {
//		err := client.Subscribe(ctx, client.Options{URL: "https://gateway.example", Token: token}, state)
//		log.Print(err) // the token has ended, or ctx has
//	}()
//	view, err := state.Next(ctx, empty) // wait for the first snapshot
//	for member := range view.Members(7) {
//		fmt.Println(view.Node(member.NodeID).Hostname, member.Role)
//	}
//
// What it promises:
//
//   - Commits come whole, in order, without a gap or a repeat. One that the gateway
//     cut over several frames is put together first.
//   - After any loss the stream is resumed where the handler stands: behind the last
//     call that returned nil. Where the gateway cannot resume, a snapshot follows
//     and replaces what there was.
//   - A stream that breaks the protocol is left, and nothing of the frame that broke
//     it is handed out. A gateway that is silent for two of its intervals is left.
//   - Tries to come back are spread at random over a time that doubles with each in
//     vain, and never come before the gateway wants them to. What no retry can
//     better ends the subscription with an error that says so.
//   - What this version does not know, frames, members of frames and kinds of
//     records, is passed over, and kept where bytes are passed on.
//
// Nothing is called concurrently, and no goroutine outlives the call that needs it.
// A program that writes and wants to read what it wrote waits with [State.Reached]
// for the position that its write was answered with.
//
// Read docs/protocol.md of this module for the protocol itself.
package client

// Package gateway is the one writer: it decides commands, makes them durable
// and shows them, in this order, and opens and closes what that takes. It
// knows no HTTP.
//
// What it promises:
//
//   - Durable before visible. Nobody, neither a caller of State nor a
//     subscriber, sees a commit that is not on disk, nor, with
//     [Options.SyncStandbys], one that so many standbys have not acknowledged;
//     standbys alone are sent it before. [Do] returns when its commit can be
//     seen, or with [ErrNotReplicated] when that takes too long: then it is
//     durable here, and is seen later. The same holds for an answer that needed
//     no commit: the state it rests on is durable by then.
//   - One order. Commands are decided one after the other, each on the result
//     of the one before. Commands that wait together become durable with one
//     sync.
//   - Nothing after a failure. When the log fails, the group that was under
//     way is answered with [ErrStorageFailed] and so is every later command.
//     Reads and streams go on with what was shown before.
//   - Reading blocks nobody. State returns a frozen copy.
//
// A standby decides nothing, and Do answers [ErrStandby]. One goroutine feeds it
// with Replicate, Commit, EnterEpoch and Adopt, each durable when it returns.
// Promote begins an epoch of its own, Demote gives that up.
package gateway

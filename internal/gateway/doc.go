// Package gateway is the one writer: it decides commands, makes them durable
// and shows them, in this order, and opens and closes what that takes. It
// knows no HTTP.
//
// What it promises:
//
//   - Durable before visible. Nobody, neither a caller of State nor a
//     subscriber, sees a commit that is not on disk; and [Do] returns only when
//     its commit can be seen. The same holds for an answer that needed no
//     commit: the state it rests on is durable by then.
//   - One order. Commands are decided one after the other, each on the result
//     of the one before. Commands that wait together become durable with one
//     sync.
//   - Nothing after a failure. When the log fails, the group that was under
//     way is answered with [ErrStorageFailed] and so is every later command.
//     Reads and streams go on with what was shown before.
//   - Reading blocks nobody. State returns a frozen copy.
package gateway

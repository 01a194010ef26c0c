// Package directory is the state of the gateway and the rules by which it
// changes: networks, nodes, who is a member of what in which role, and what
// the identity providers last said of people.
//
// It is pure. It has no clock, lock, log line or I/O, and no goroutine but one
// that helps to encode a large commit and ends with it; time is an argument and
// randomness comes in with the command that needs it. The same commits applied
// in the same order therefore give the same state everywhere, on the gateway that
// decided them, after a restart, and on a standby; Digest proves it.
//
// Two functions carry the weight:
//
//   - [Decide] answers a [Command] with the entries that would carry it out, or
//     with a refusal. It changes nothing.
//   - [State.Apply] takes entries that were decided before and refuses nothing.
//     It is the only mutator, beside [State.Replay], which is the same for
//     commits that nobody waits for any more.
//
// On disk a commit is what [EncodeCommit] makes of it, and a state the lines of
// [State.EncodedRows], which a [Loader] takes. Both are canonical JSON: a record
// has one spelling, and the fields of each kind are named in one place for it.
//
// A [State] is copy-on-write: [State.Clone] takes constant time, and a clone
// that nobody applies to may be read by any number of goroutines.
//
// A [View] says what one kind of reader may see, in a frozen state and in a
// commit, and is used alike for lists, snapshots and streams.
package directory

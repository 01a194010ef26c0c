// Package hub fans one ordered stream of commits out to many subscribers.
//
// A writer pushes commits that are already encoded; each subscriber pulls the
// frames that are due to it. The hub moves bytes: it knows neither what the
// entries mean nor how frames travel. Whoever writes them says the latter with an
// [Encoding].
//
// What a subscriber may rely on:
//
//   - Order. Its first frame is a heartbeat that says whether it was resumed.
//     If it was not, a snapshot is next but for heartbeats. After that come
//     deltas, each saying in prev_seq_no which frame it follows, without a gap
//     and without a repeat.
//   - Atomicity. A commit is either whole within one frame or cut into frames of
//     its own, of which all but the last say "more". A snapshot is cut likewise.
//     What has begun is finished before anything else is sent.
//   - Signs of life. A heartbeat comes every interval, also while the subscriber
//     waits for a snapshot; it then says what the stream has said already.
//   - Catching up. A subscriber that falls out of the window gets a fresh
//     snapshot. One that is reading a snapshot keeps the commits after it
//     available until it has caught up, as long as the window stays below twice
//     its limits.
//
// What whoever pushes may rely on:
//
//   - [Manager.Push] and [Manager.PushDelta] never wait for a subscriber. They
//     take a lock that is never held while entries or a state are encoded, only
//     for a heartbeat, which is short, and their cost does not grow with the
//     number of subscribers that share a [Feed].
//   - A slow subscriber costs a cursor, not a queue. Frames and snapshots are
//     encoded once for all subscribers of a class and an encoding that need the
//     same ones.
//   - A crowd of joiners costs one snapshot. A few at a time are given it, so that
//     not all of them fill their buffers at once; those that are slow keep nobody
//     waiting for more than a quarter of a second each.
//
// What the goroutine that serves a [Feed] may rely on: [Sub.Next] returns at once.
// What takes long to encode is encoded beside it.
//
// Nothing here is durable. Push what may be seen, and nothing before that, except
// to subscribers that asked for it with SubOptions.Ahead.
//
// Ownership of bytes: what is pushed and what [Sub.Next] hands out is shared and
// must never be changed by anyone. The encoded entries and states that are pushed
// hold no line break.
package hub

// Package follow keeps a standby in step with its primary.
//
// What it promises:
//
//   - The standby's log has the primary's commits under the same seq_no, byte for
//     byte. What is acknowledged is on the standby's disk.
//   - A standby goes on after any interruption of either side. It takes a
//     snapshot only where nothing shorter leads on, and holds what it had until
//     the new state is durable.
//   - A standby never goes back to an older epoch, nor over to another branch of
//     the history, and never acknowledges either. It says so and stays.
//   - What a standby has and its primary has not is kept aside in a file before
//     anything of it is dropped.
//   - A difference between the two, which the digest in a heartbeat tells, is
//     reported and healed by a snapshot.
//   - A gateway that was promoted stays primary and goes on asking where it once
//     followed; it follows again once the history there contains its own epoch
//     and goes on.
package follow

package api

import (
	"strconv"

	"github.com/replication-gateway/gateway/internal/hub"
)

// eventRoom is what stands before an event's data, with the longest epoch and
// seq_no that there are.
const eventRoom = len("event: heartbeat\nid: ") + maxEpoch + len(":") + maxSeqNo + len("\ndata: ")

const (
	maxEpoch = 64
	maxSeqNo = 20
)

// eventFrames makes server-sent events of frames:
//
//	event: delta
//	id: EPOCH:SEQ_NO
//	data: JSON
//
// Only a frame that its reader may be resumed after has an id.
var eventFrames = &hub.Encoding{Room: eventRoom, Wrap: func(h hub.Header, b []byte) []byte {
	head := make([]byte, 0, eventRoom)
	head = append(head, "event: "...)
	head = append(head, h.Type...)
	if h.Resumable {
		head = append(head, "\nid: "...)
		head = append(head, h.Epoch...)
		head = append(head, ':')
		head = strconv.AppendUint(head, h.SeqNo, 10)
	}
	head = append(head, "\ndata: "...)
	b = b[eventRoom-len(head):]
	copy(b, head)
	return append(b, "\n\n"...)
}}

// lastEvent tells the reader of a stream of events why it ends, and when to come
// back if that was said.
func lastEvent(d hub.Disconnect) []byte {
	b := append([]byte(": "), d.String()...)
	b = append(b, '\n')
	if d.Retry > 0 {
		b = append(b, "retry: "...)
		b = strconv.AppendInt(b, d.Retry.Milliseconds(), 10)
		b = append(b, '\n')
	}
	return append(b, '\n')
}

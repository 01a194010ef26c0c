package api

import (
	"bytes"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/klauspost/compress/flate"

	"github.com/replication-gateway/gateway/internal/directory"
)

// maxStandbyID is how long the name of a standby may be, in bytes.
const maxStandbyID = 128

// standbyID returns the name under which the caller acknowledges, empty when it
// has none. Only a stream that shows everything can be a standby's, and only on a
// WebSocket can it say what it has.
func (c *call) standbyID(events bool) string {
	id, given := c.single("standby")
	if !given {
		return ""
	}
	if id == "" || len(id) > maxStandbyID || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		c.faults.add("/standby", "name", "the query parameter must be 1 to 128 visible ASCII characters")
	}
	if c.who.role != directory.AccessReplica || len(c.query["network_id"]) > 0 || events {
		c.faults.add("/standby", "role", "the query parameter is for WebSockets of replica tokens that are not narrowed to networks")
	}
	return id
}

// maxAck is how long an acknowledgement may be, in bytes. It is a single frame.
const maxAck = 512

// ackMessage is what a standby says on its stream.
type ackMessage struct {
	Type  string `json:"type"`
	Epoch string `json:"epoch"`
	SeqNo uint64 `json:"seq_no"`
}

// acknowledge takes an acknowledgement, and reports whether it is one that may
// come on this stream.
func (st *stream) acknowledge(f peerFrame) bool {
	if st.follower == nil || f.head&final == 0 || f.size > maxAck {
		return false
	}
	message := f.payload
	if f.head&deflated != 0 {
		var err error
		if message, err = inflate(message, maxAck); err != nil {
			return false
		}
	}
	var ack ackMessage
	err := json.Unmarshal(message, &ack, json.RejectUnknownMembers(true))
	return err == nil && ack.Type == "ack" && st.follower.Ack(ack.Epoch, ack.SeqNo) == nil
}

// inflate decompresses a message of permessage-deflate (RFC 7692, section
// 7.2.2), of at most so many bytes.
func inflate(b []byte, most int64) ([]byte, error) {
	r := flate.NewReader(io.MultiReader(bytes.NewReader(b), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")))
	return io.ReadAll(io.LimitReader(r, most))
}

// follow counts the stream as a standby's.
func (s *Server) follow(st *stream, id string, resume *directory.Position) {
	since := uint64(0)
	if resume != nil {
		since = resume.SeqNo
	}
	st.follower = s.options.Gateway.Follow(st.sub, id, since)
}

// unfollow ends what follow began.
func (s *Server) unfollow(st *stream) {
	if st.follower != nil {
		s.options.Gateway.Unfollow(st.follower)
	}
}

package hub

// Encoding is how frames travel. Subscribers of one class and one Encoding, told
// apart by its address, share the bytes; nil sends a frame's JSON as it is.
type Encoding struct {
	// Room is how many bytes Wrap wants to be free in front of the JSON.
	Room int
	// Wrap returns what travels of a frame. b[Room:] is its JSON, without a line
	// break. Wrap owns b: it may write to it and append, and return any part of it
	// or other bytes. It is called from any goroutine, for a heartbeat with a lock
	// held.
	Wrap func(h Header, b []byte) []byte
	// Memory returns what a frame of at most size bytes is built in, and Wrap is
	// given: empty, and the hub's until then. nil makes new memory for each.
	Memory func(size int) []byte
}

// Header is what an Encoding is told of a frame.
type Header struct {
	Type  FrameType
	Epoch string
	SeqNo uint64
	// Resumable says that a subscriber which has this frame can be resumed at
	// SeqNo: no part of it is missing.
	Resumable bool
}

// room is what open leaves free.
func (e *Encoding) room() int {
	if e == nil {
		return 0
	}
	return e.Room
}

// memory is what open builds a frame of at most size bytes in.
func (e *Encoding) memory(size int) []byte {
	if e == nil || e.Memory == nil {
		return make([]byte, 0, size)
	}
	return e.Memory(size)
}

// wrap ends a frame that open began.
func (e *Encoding) wrap(h Header, b []byte) []byte {
	if e == nil {
		return b
	}
	return e.Wrap(h, b)
}

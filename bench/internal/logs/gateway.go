package logs

import "github.com/replication-gateway/gateway/internal/wal"

// gatewayLog is the gateway's own, as package gateway uses it: the group's last seq_no is passed as committed, and
// marked when the group is durable.
var gatewayLog = Candidate{
	Name:  "gateway",
	About: "internal/wal with its defaults; after each group MarkCommitted, as the gateway's writer does",
	Open: func(dir string) (Log, error) {
		l, _, err := wal.Open(dir, wal.Options{})
		if err != nil {
			return nil, err
		}
		return gatewayWriter{l}, nil
	},
	Reader: func(dir string) (Reader, error) {
		l, recovery, err := wal.Open(dir, wal.Options{})
		if err != nil {
			return nil, err
		}
		return gatewayReader{l, recovery}, nil
	},
	Cut: func(r Reader) bool { return r.(gatewayReader).recovery.Torn != nil },
}

type gatewayWriter struct{ *wal.File }

// Append implements Log.
func (w gatewayWriter) Append(first uint64, records [][]byte) error {
	last := first + uint64(len(records)) - 1
	if err := w.File.Append(first, wal.Records(records...), last); err != nil {
		return err
	}
	return w.MarkCommitted(last)
}

type gatewayReader struct {
	*wal.File
	recovery wal.Recovery
}

// Each implements Reader.
func (r gatewayReader) Each(yield func([]byte) error) error {
	return r.Read(0, func(_ uint64, record []byte) error { return yield(record) })
}

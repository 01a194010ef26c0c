package gateway

import (
	"fmt"
	"io"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/wal"
)

// Verify checks the data folder of a stopped gateway and changes nothing: all
// that wal.Verify does, and that each snapshot holds the state that it says.
func Verify(dir string, report func(wal.Checked)) error {
	return wal.VerifyRows(dir, nil, report, func(s wal.Snapshot, rows io.Reader) error {
		_, err := readRows(s, rows, func(uint64) {})
		return err
	})
}

// Dump yields the commits in the data folder of a stopped gateway, in order,
// and changes nothing. It goes as far as the log can be read.
func Dump(dir string, yield func(directory.Commit) error) (wal.Recovery, error) {
	return wal.Dump(dir, nil, 0, func(seqNo uint64, record []byte) error {
		c, err := directory.DecodeCommit(record)
		if err != nil {
			return fmt.Errorf("seq_no %d: %w", seqNo, err)
		}
		return yield(c)
	})
}

package gateway

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/wal"
)

const (
	// rowsInBatch is how many rows go from the decoder to the loader at a time.
	rowsInBatch = 1024
	// maxRow bounds a row that is read: no commit makes a larger one.
	maxRow = MaxCommit
)

// readRows reads the rows of a snapshot into a state, and holds it against what
// the snapshot says of it. What does not agree is wal.ErrDamaged. progress is
// told now and then how many rows are read.
//
// One goroutine reads and decodes, another builds the state.
func readRows(s wal.Snapshot, r io.Reader, progress func(rows uint64)) (*directory.State, error) {
	batches := make(chan []directory.Record, 16)
	var work errgroup.Group
	work.Go(func() error {
		defer close(batches)
		return decodeRows(r, batches)
	})
	loader := directory.NewLoader()
	var read uint64
	var loading error
	for batch := range batches {
		for _, row := range batch {
			if err := loader.Add(row); err != nil && loading == nil {
				loading = fmt.Errorf("%w: %w", wal.ErrDamaged, err)
			}
		}
		read += uint64(len(batch))
		progress(read)
	}
	if err := errors.Join(work.Wait(), loading); err != nil {
		return nil, err
	}
	state := loader.State(s.SeqNo)
	if state.RowCount() != s.Rows || state.Digest() != s.Digest {
		return nil, fmt.Errorf("%w: %d rows with digest %016x, the snapshot says %d with %016x",
			wal.ErrDamaged, state.RowCount(), state.Digest(), s.Rows, s.Digest)
	}
	return state, nil
}

// decodeRows decodes lines into batches of rows.
func decodeRows(r io.Reader, batches chan<- []directory.Record) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 256<<10), maxRow)
	batch := make([]directory.Record, 0, rowsInBatch)
	for lines.Scan() {
		row, err := directory.ParseRow(lines.Bytes())
		if err != nil {
			return fmt.Errorf("%w: %w", wal.ErrDamaged, err)
		}
		if batch = append(batch, row); len(batch) == rowsInBatch {
			batches <- batch
			batch = make([]directory.Record, 0, rowsInBatch)
		}
	}
	batches <- batch
	return lines.Err()
}

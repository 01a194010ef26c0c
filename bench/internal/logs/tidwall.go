package logs

import tidwall "github.com/tidwall/wal"

var tidwallLog = Candidate{
	Name:   "tidwall/wal",
	Module: "github.com/tidwall/wal",
	About:  "its defaults: segments of 20 MB, binary, no preallocation, which it does not have; one WriteBatch for each group; read with NoCopy",
	Open: func(dir string) (Log, error) {
		l, err := tidwall.Open(dir, nil)
		if err != nil {
			return nil, err
		}
		return &tidwallWriter{log: l}, nil
	},
	Reader: func(dir string) (Reader, error) {
		options := *tidwall.DefaultOptions
		options.NoCopy = true
		l, err := tidwall.Open(dir, &options)
		if err != nil {
			return nil, err
		}
		return tidwallReader{l}, nil
	},
}

type tidwallWriter struct {
	log   *tidwall.Log
	batch tidwall.Batch
}

// Append implements Log.
func (w *tidwallWriter) Append(first uint64, records [][]byte) error {
	w.batch.Clear()
	for i, record := range records {
		w.batch.Write(first+uint64(i), record)
	}
	return w.log.WriteBatch(&w.batch)
}

// Close implements Log.
func (w *tidwallWriter) Close() error { return w.log.Close() }

type tidwallReader struct{ log *tidwall.Log }

// Each implements Reader.
func (r tidwallReader) Each(yield func([]byte) error) error {
	first, err := r.log.FirstIndex()
	if err != nil {
		return err
	}
	last, err := r.log.LastIndex()
	if err != nil || last == 0 {
		return err
	}
	for i := first; i <= last; i++ {
		record, err := r.log.Read(i)
		if err != nil {
			return err
		}
		if err := yield(record); err != nil {
			return err
		}
	}
	return nil
}

// Close implements Reader.
func (r tidwallReader) Close() error { return r.log.Close() }

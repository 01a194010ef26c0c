package follow

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/wholefile"
)

// keepAside writes what this gateway has, and the history there has not, to a
// file in the data folder: the commits behind the fork, or behind the snapshot
// there where the epoch is the same, as the lines that "gateway wal dump" prints;
// or, where nothing is shared or the log does not reach back, the whole state as a
// backup.
func (r *replica) keepAside(snapshot uint64) error {
	g := r.Gateway
	if !g.HasState() {
		return nil
	}
	own := g.Lineage()
	state, at := g.Durable()
	name := filepath.Join(r.Dir, fmt.Sprintf("aside-%s-%d", at.Epoch, at.SeqNo))
	from := snapshot
	switch relate(own, r.lineage) {
	case goesOn:
		from = fork(own, r.lineage)
	case unrelated:
		return r.keepState(name, state, at)
	}
	if at.SeqNo <= from {
		return nil
	}
	path := name + ".jsonl"
	err := wholefile.Write(path, func(w io.Writer) error {
		out := bufio.NewWriter(w)
		err := g.Records(from, func(record []byte) error {
			commit, err := directory.DecodeCommit(record)
			if err == nil {
				_, err = out.Write(commit.AppendLine(nil))
			}
			return err
		})
		return errors.Join(err, out.Flush())
	})
	if errors.Is(err, gateway.ErrCut) {
		return r.keepState(name, state, at)
	}
	return r.say(err, path, from+1, at.SeqNo)
}

func (r *replica) keepState(name string, state *directory.State, at directory.Position) error {
	path := name + ".snapshot"
	err := wholefile.Write(path, func(w io.Writer) error { return r.Gateway.WriteSnapshot(w, state, at) })
	return r.say(err, path, 1, state.SeqNo())
}

// say tells of a file that is there. It returns what went wrong with it, and is
// silent then.
func (r *replica) say(err error, path string, from, to uint64) error {
	if err != nil {
		return err
	}
	r.Logger.Warn().Str("file", path).Uint64("from_seq_no", from).Uint64("to_seq_no", to).
		Msg("what this gateway alone has is kept aside: the history that it follows is without it")
	return nil
}

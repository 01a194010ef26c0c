package follow

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/wholefile"
)

// keepAside writes what this gateway has, and the history there has not, to a
// file in the data folder: the commits behind the fork, or behind the snapshot
// there where both held the same, as the lines that "gateway wal dump" prints; or,
// where nothing is shared, the log does not reach back or nobody knows where the
// fork is, the whole state as a backup.
func (r *replica) keepAside(snapshot *directory.State) error {
	g := r.Gateway
	if !g.HasState() {
		return nil
	}
	own := g.Lineage()
	state, at := g.Durable()
	name := filepath.Join(r.Dir, fmt.Sprintf("aside-%s-%d", at.Epoch, at.SeqNo))
	from := snapshot.SeqNo()
	digest, known := g.DigestAt(from)
	switch relation := relate(own, r.lineage); {
	case relation == goesOn:
		from = fork(own, r.lineage)
	case relation == unrelated:
		return r.keepState(name, state, at)
	case r.distrust, at.SeqNo > from && !(known && digest == snapshot.Digest()):
		// One epoch and two ends of it, as when the gateway there was put back to an older copy of its data.
		return r.keepOnce(name, state, at)
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

// keepOnce is keepState for one state of an epoch at most: whatever makes two
// gateways differ again and again is not to fill the disk.
func (r *replica) keepOnce(name string, state *directory.State, at directory.Position) error {
	entries, err := os.ReadDir(r.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		other := strings.HasPrefix(e.Name(), "aside-"+at.Epoch+"-") && strings.HasSuffix(e.Name(), ".snapshot")
		if other && e.Name() != filepath.Base(name)+".snapshot" {
			r.Logger.Warn().Str("file", e.Name()).Stringer("position", at).
				Msg("what this gateway may have alone is not kept aside: there is a state of this epoch already")
			return nil
		}
	}
	return r.keepState(name, state, at)
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

package directory

// Command asks for a change; its answer, when it is granted, is an R.
type Command[R any] interface {
	// decide adds the entries that carry the command out to the draft, or
	// refuses. After a refusal the draft is of no use.
	decide(d *draft) (R, error)
}

// Decide answers a command on the state s: the entries of the commit that
// carries it out, all numbered s.SeqNo()+1, with the command's answer, or a
// refusal. No entries and no error mean that nothing is to change. It changes
// nothing, and equal arguments give equal answers. It may clone s, which makes
// it one of the calls that one goroutine at a time may make; only a directory
// sync never does.
func Decide[R any](s *State, c Command[R], actor string, now Time) ([]DeltaEntry, R, error) {
	d := draft{base: s, actor: actor, now: now}
	answer, err := c.decide(&d)
	if err != nil {
		return nil, answer, err
	}
	return d.entries, answer, nil
}

// draft is a commit in the making.
type draft struct {
	base    *State
	actor   string
	now     Time
	entries []DeltaEntry

	// scratch is a clone of base with the first applied entries carried out,
	// made only when a command reads what it wrote.
	scratch *State
	applied int
}

// state returns the state with all entries of the draft carried out.
func (d *draft) state() *State {
	if len(d.entries) == 0 {
		return d.base
	}
	if d.scratch == nil {
		d.scratch = d.base.Clone()
	}
	for ; d.applied < len(d.entries); d.applied++ {
		d.scratch.apply(&d.entries[d.applied])
	}
	return d.scratch
}

func (d *draft) seqNo() uint64 { return d.base.seqNo + 1 }

func (d *draft) put(r Record) { d.add(EntryType{Kind: r.kind()}, r) }

func (d *draft) drop(k Key) { d.add(EntryType{Kind: k.Kind, Delete: true}, &k) }

func (d *draft) add(t EntryType, r Record) {
	d.entries = append(d.entries, DeltaEntry{SeqNo: d.seqNo(), Type: t, NetworkID: r.network(), NodeID: r.node(),
		At: d.now, Actor: d.actor, Data: r})
}

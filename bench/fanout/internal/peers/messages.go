package peers

import "encoding/json"

// delta and snapshot are the gateway's messages, as far as deltas of nodes and states go. The hubs that encode for each
// subscriber do it from these, as programs do that keep their state in structs.
type delta struct {
	Type      string  `json:"type"`
	Epoch     string  `json:"epoch"`
	PrevSeqNo uint64  `json:"prev_seq_no"`
	SeqNo     uint64  `json:"seq_no"`
	Entries   []entry `json:"entries"`
}

type entry struct {
	SeqNo  uint64 `json:"seq_no"`
	Type   string `json:"type"`
	NodeID uint32 `json:"node_id"`
	At     string `json:"at"`
	Actor  string `json:"actor"`
	Data   node   `json:"data"`
}

type node struct {
	NodeID     uint32   `json:"node_id"`
	Hostname   string   `json:"hostname"`
	ExternalID string   `json:"external_id"`
	Tags       []string `json:"tags"`
	CreatedAt  string   `json:"created_at"`
}

type snapshot struct {
	Type     string `json:"type"`
	Epoch    string `json:"epoch"`
	SeqNo    uint64 `json:"seq_no"`
	Snapshot state  `json:"snapshot"`
}

type state struct {
	Networks []json.RawMessage `json:"networks"`
	Nodes    []node            `json:"nodes"`
	Members  []json.RawMessage `json:"members"`
}

func parseSnapshot(b []byte) (*snapshot, error) {
	s := new(snapshot)
	return s, json.Unmarshal(b, s)
}

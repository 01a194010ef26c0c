package main

import "fmt"

const (
	// maxOps and maxEntries are the gateway's own limits for a batch and a directory sync.
	maxOps     = 10_000
	maxEntries = 100_000
)

// fleet is how large a state is. Node i is a member of network 1 + (i-1) mod Networks.
type fleet struct {
	Nodes    int `json:"nodes"`
	Networks int `json:"networks"`
	Users    int `json:"users"` // of network 1, each the person of one of its nodes
}

func (f fleet) valid() bool {
	return within(f.Networks, 1, 1000) && within(f.Nodes, f.Networks, 10_000_000) &&
		within(f.Users, 1, min(maxEntries, (f.Nodes+f.Networks-1)/f.Networks))
}

// rows is how many records the fleet is: with the members, and the record of the directory sync.
func (f fleet) rows() int { return f.Networks + 2*f.Nodes + f.Users + 1 }

// personOf is the node whose person is the k-th user of network 1, counted from 0.
func (f fleet) personOf(k int) int { return 1 + k*f.Networks }

// ops is the body of a batch under way.
type ops struct {
	body  []byte
	count int
}

func (o *ops) reset() { o.body, o.count = append(o.body[:0], `{"ops":[`...), 0 }

func (o *ops) add(kind, format string, args ...any) {
	if o.count > 0 {
		o.body = append(o.body, ',')
	}
	o.count++
	o.body = fmt.Appendf(o.body, `{"type":"%s","data":`, kind)
	o.body = fmt.Appendf(o.body, format, args...)
	o.body = append(o.body, '}')
}

// batch returns the whole body, which is valid until reset.
func (o *ops) batch() []byte { return append(o.body, "]}"...) }

func (o *ops) putNetwork(id int) {
	o.add("network.put", `{"network_id":%d,"name":"site %d","enterprise":true,"role_mappings":[{"group":"admins","role":"admin"}]}`, id, id)
}

// putNode puts a node as its generation has it: another one is another hostname.
func (o *ops) putNode(id, generation int) {
	o.add("node.put", nodeFields, id, id, generation, id, id%100)
}

func (o *ops) putMember(network, node int) {
	o.add("member.put", `{"network_id":%d,"node_id":%d,"role":"member"}`, network, node)
}

const nodeFields = `{"node_id":%d,"hostname":"host-%07d-%03d.corp.example","external_id":"person-%07d@corp.example","tags":["linux","rack-%02d"]}`

// directorySync is the body of a directory sync of persons, by the numbers of their nodes. Each edition says something else
// of a person.
func directorySync(network int, persons []int, edition func(i int) int) []byte {
	b := fmt.Appendf(nil, `{"network_id":%d,"entries":[`, network)
	for i, person := range persons {
		if i > 0 {
			b = append(b, ',')
		}
		group := "platform"
		if person%10 == 0 {
			group = "admins"
		}
		b = fmt.Appendf(b, `{"external_id":"person-%07d@corp.example","display_name":"Person %d, edition %d","email":"person-%07d@corp.example","groups":["everybody","%s"],"disabled":false}`,
			person, person, edition(i), person, group)
	}
	return append(b, `],"remove_unlisted":false,"dry_run":false}`...)
}

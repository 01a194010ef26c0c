package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
)

// demoPace is about how long the demo waits between two changes.
const demoPace = 2 * time.Second

// runDemo fills an empty gateway with a small fleet and keeps changing it until
// ctx ends. It does so with the commands that everybody else has. What was not made
// by it, it leaves alone.
func runDemo(ctx context.Context, log zerolog.Logger, g *gateway.Gateway) error {
	d := demo{g: g, rand: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))}
	switch state, _ := g.Durable(); {
	case state.SeqNo() == 0:
		if err := d.fill(ctx); err != nil {
			return ended(ctx, fmt.Errorf("demo: %w", err))
		}
		log.Info().Msg("demo fleet made")
	case !isDemo(state):
		log.Warn().Msg("the data folder holds something else than the demo fleet, which stays as it is")
		return nil
	}
	for {
		wait := time.NewTimer(demoPace/2 + time.Duration(d.rand.Int64N(int64(demoPace))))
		select {
		case <-ctx.Done():
			wait.Stop()
			return nil
		case <-wait.C:
		}
		if err := d.change(ctx); err != nil {
			// The user may have deleted what the demo plays with.
			log.Warn().Err(err).Msg("demo change refused")
		}
	}
}

// isDemo reports whether a state has the networks of the demo.
func isDemo(state *directory.State) bool {
	return !slices.ContainsFunc(demoNetworks, func(want directory.Network) bool {
		n := state.Network(want.NetworkID)
		return n == nil || n.Name != want.Name
	})
}

// ended drops an error that only says that ctx is over.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, gateway.ErrClosed) {
		return nil
	}
	return err
}

const demoActor = "gateway"

// The networks of the demo; lab takes no directory syncs.
const (
	platform = 1
	fieldOps = 2
	lab      = 3
)

var demoNetworks = []directory.Network{
	{NetworkID: platform, Name: "Platform", Enterprise: true, IdentifyBy: directory.IdentifyByID, RoleMappings: []directory.RoleMapping{
		{Group: "Platform Leads", Role: directory.RoleOwner}, {Group: "SRE", Role: directory.RoleAdmin}, {Group: "Engineering", Role: directory.RoleMember}}},
	{NetworkID: fieldOps, Name: "Field Operations", Enterprise: true, IdentifyBy: directory.IdentifyByID, RoleMappings: []directory.RoleMapping{
		{Group: "Ops Leads", Role: directory.RoleOwner}, {Group: "Dispatch", Role: directory.RoleAdmin}, {Group: "Technicians", Role: directory.RoleMember}}},
	{NetworkID: lab, Name: "Lab", IdentifyBy: directory.IdentifyByID, RoleMappings: []directory.RoleMapping{}},
}

// demoPerson is somebody in the directory of the demo.
type demoPerson struct {
	name    string
	network uint16
	groups  []string
}

func (p demoPerson) externalID() string {
	return strings.ToLower(strings.ReplaceAll(p.name, " ", ".")) + "@corp.example"
}

// demoPeople each have a node, the first of a network two; the last of each
// network has none yet, so an assignment waits.
var demoPeople = []demoPerson{
	{"Alice Moreau", platform, []string{"Engineering", "Platform Leads"}},
	{"Bjorn Dahl", platform, []string{"Engineering", "SRE"}},
	{"Chidi Okafor", platform, []string{"Engineering", "SRE"}},
	{"Dana Levy", platform, []string{"Engineering"}},
	{"Elena Petrova", platform, []string{"Engineering"}},
	{"Farid Haddad", platform, []string{"Engineering"}},
	{"Grace Kim", platform, []string{"Engineering"}},
	{"Hugo Santos", platform, []string{"Engineering"}},
	{"Ines Ferreira", platform, []string{"Engineering"}},
	{"Jonas Weber", platform, []string{"Engineering"}},
	{"Keiko Tanaka", platform, []string{"Engineering"}},
	{"Liam Byrne", platform, []string{"Engineering", "SRE"}},
	{"Maya Cohen", platform, []string{"Engineering"}},
	{"Nadia Rahman", fieldOps, []string{"Ops Leads"}},
	{"Oskar Nowak", fieldOps, []string{"Dispatch"}},
	{"Priya Nair", fieldOps, []string{"Dispatch"}},
	{"Quentin Roux", fieldOps, []string{"Technicians"}},
	{"Rosa Jimenez", fieldOps, []string{"Technicians"}},
	{"Samir Aziz", fieldOps, []string{"Technicians"}},
	{"Tuuli Virtanen", fieldOps, []string{"Technicians"}},
	{"Uma Patel", fieldOps, []string{"Technicians"}},
	{"Viktor Horvat", fieldOps, []string{"Technicians"}},
	{"Wanda Krol", fieldOps, []string{"Technicians"}},
	{"Yusuf Demir", fieldOps, []string{"Technicians"}},
	{"Zoe Martin", fieldOps, []string{"Dispatch"}},
}

// demo plays the administrator and the identity provider of a small company.
type demo struct {
	g    *gateway.Gateway
	rand *rand.Rand
}

// fill makes three networks, forty nodes and the people they belong to.
func (d *demo) fill(ctx context.Context) error {
	var ops []directory.Op
	for _, n := range demoNetworks {
		ops = append(ops, directory.OpOf(directory.PutNetwork{Network: n}))
	}
	node := uint32(0)
	join := func(network uint16, hostname, externalID string, tags ...string) {
		node++
		ops = append(ops,
			directory.OpOf(directory.PutNode{Node: directory.Node{NodeID: node, Hostname: hostname, ExternalID: externalID, Tags: tags}}),
			directory.OpOf(directory.PutMember{NetworkID: network, NodeID: node}))
	}
	seen := map[uint16]bool{}
	for i, p := range demoPeople {
		first, _, _ := strings.Cut(strings.ToLower(p.name), " ")
		if i+1 == len(demoPeople) || demoPeople[i+1].network != p.network {
			continue // the last of a network waits for a node
		}
		join(p.network, first+"-laptop", p.externalID(), "laptop")
		if !seen[p.network] {
			seen[p.network] = true
			join(p.network, first+"-phone", p.externalID(), "phone")
		}
	}
	for i := 1; node < 34; i++ {
		join(platform, fmt.Sprintf("build-%02d", i), "", "server", "ci")
	}
	for i := 1; node < 40; i++ {
		join(lab, fmt.Sprintf("bench-%02d", i), "", "server")
	}
	_, _, err := gateway.Do(ctx, d.g, demoActor, directory.Batch{Ops: ops})
	if err := carriedOut(err); err != nil {
		return err
	}
	for _, network := range []uint16{platform, fieldOps} {
		var entries []directory.DirectoryEntry
		for _, p := range demoPeople {
			if p.network == network {
				entries = append(entries, p.entry(p.groups, false))
			}
		}
		if err := carriedOut(d.sync(ctx, network, entries...)); err != nil {
			return err
		}
	}
	return nil
}

// carriedOut drops an error that only says that the standbys do not have it yet.
func carriedOut(err error) error {
	if errors.Is(err, gateway.ErrNotReplicated) {
		return nil
	}
	return err
}

func (p demoPerson) entry(groups []string, disabled bool) directory.DirectoryEntry {
	email := p.externalID()
	return directory.DirectoryEntry{ExternalID: p.externalID(), DisplayName: &p.name, Email: &email, Groups: &groups, Disabled: disabled}
}

func (d *demo) sync(ctx context.Context, network uint16, entries ...directory.DirectoryEntry) error {
	people, warnings, err := directory.ParseDirectoryEntries(entries)
	if err != nil {
		return err
	}
	_, _, err = gateway.Do(ctx, d.g, demoActor, directory.SyncDirectory{
		Request: &directory.DirectorySyncRequest{NetworkID: network, Entries: entries},
		People:  people, Warnings: warnings,
	})
	return err
}

// change makes one believable change.
func (d *demo) change(ctx context.Context) error {
	state, _ := d.g.State()
	if d.rand.IntN(5) == 0 {
		return d.moveBench(ctx, state)
	}
	p := demoPeople[d.rand.IntN(len(demoPeople))]
	user := state.User(p.network, p.externalID())
	switch {
	case slices.Contains(p.groups, "Platform Leads") || slices.Contains(p.groups, "Ops Leads"):
		return d.reimage(ctx, state)
	case user != nil && user.Disabled:
		return d.comeBack(ctx, state, p)
	case d.rand.IntN(4) == 0:
		return d.sync(ctx, p.network, p.entry(p.groups, true))
	case user != nil && !slices.Equal(user.Groups, slices.Sorted(slices.Values(p.groups))):
		return d.sync(ctx, p.network, p.entry(p.groups, false))
	}
	extra := demoNetworks[p.network-1].RoleMappings[1].Group // the group that makes admins
	return d.sync(ctx, p.network, p.entry(append([]string{extra}, p.groups...), false))
}

// comeBack enables a person again and lets the nodes join anew.
func (d *demo) comeBack(ctx context.Context, state *directory.State, p demoPerson) error {
	if err := d.sync(ctx, p.network, p.entry(p.groups, false)); err != nil {
		return err
	}
	for node := range state.NodesByExternalID(p.externalID()) {
		if _, _, err := gateway.Do(ctx, d.g, demoActor, directory.PutMember{NetworkID: p.network, NodeID: node.NodeID}); err != nil {
			return err
		}
	}
	return nil
}

// moveBench moves one machine of the lab out of its network or back.
func (d *demo) moveBench(ctx context.Context, state *directory.State) error {
	node := 35 + d.rand.Uint32N(6)
	if state.Member(lab, node) != nil {
		_, _, err := gateway.Do(ctx, d.g, demoActor, directory.DeleteMember{NetworkID: lab, NodeID: node})
		return err
	}
	_, _, err := gateway.Do(ctx, d.g, demoActor, directory.PutMember{NetworkID: lab, NodeID: node})
	return err
}

// reimage gives a build machine another image.
func (d *demo) reimage(ctx context.Context, state *directory.State) error {
	node := state.Node(26 + d.rand.Uint32N(9))
	if node == nil {
		return nil
	}
	next := *node
	next.Tags = []string{"server", "ci", fmt.Sprintf("image-%d", 100+d.rand.IntN(900))}
	_, _, err := gateway.Do(ctx, d.g, demoActor, directory.PutNode{Node: next})
	return err
}

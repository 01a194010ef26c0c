package directory

// What each kind of record consists of: the one place that says how it is
// written, read and hashed. Names, order and which fields are optional are
// those of the struct's tags, by which the general decoder goes.

func (n *Network) fields(c *codec) {
	c.uint16("network_id", &n.NetworkID)
	c.string("name", &n.Name)
	c.bool("enterprise", &n.Enterprise)
	c.roleMappings("role_mappings", &n.RoleMappings)
	c.string("identify_by", &n.IdentifyBy)
	c.time("created_at", &n.CreatedAt)
}

func (m *RoleMapping) fields(c *codec) {
	c.string("group", &m.Group)
	c.role("role", &m.Role)
}

func (n *Node) fields(c *codec) {
	c.uint32("node_id", &n.NodeID)
	c.string("hostname", &n.Hostname)
	c.string("external_id", &n.ExternalID)
	c.strings("tags", &n.Tags)
	c.time("created_at", &n.CreatedAt)
}

func (m *Member) fields(c *codec) {
	c.uint16("network_id", &m.NetworkID)
	c.uint32("node_id", &m.NodeID)
	c.role("role", &m.Role)
	c.time("joined_at", &m.JoinedAt)
}

func (a *Assignment) fields(c *codec) {
	c.uint16("network_id", &a.NetworkID)
	c.string("external_id", &a.ExternalID)
	c.role("role", &a.Role)
}

func (u *User) fields(c *codec) {
	c.uint16("network_id", &u.NetworkID)
	c.string("external_id", &u.ExternalID)
	c.string("display_name", &u.DisplayName)
	c.string("email", &u.Email)
	c.strings("groups", &u.Groups)
	c.optional().role("role", &u.Role)
	c.optional().role("mapped_role", &u.MappedRole)
	c.bool("disabled", &u.Disabled)
	c.time("updated_at", &u.UpdatedAt)
}

func (s *Sync) fields(c *codec) {
	c.uint16("network_id", &s.NetworkID)
	c.time("at", &s.At)
	c.string("actor", &s.Actor)
	c.uint64("seq_no", &s.SeqNo)
	c.optional().time("snapshot_at", &s.SnapshotAt)
	c.int("updated", &s.Updated)
	c.int("disabled", &s.Disabled)
	c.int("mapped", &s.Mapped)
	c.int("unmapped", &s.Unmapped)
}

func (t *Token) fields(c *codec) {
	c.string("token_id", &t.TokenID)
	c.string("name", &t.Name)
	c.string("role", (*string)(&t.Role))
	c.uint16s("networks", &t.Networks)
	c.string("hash", &t.Hash)
	c.optional().time("expires_at", &t.ExpiresAt)
	c.time("created_at", &t.CreatedAt)
}

func (r *Receipt) fields(c *codec) {
	c.string("receipt_id", &r.ReceiptID)
	c.string("body_hash", &r.BodyHash)
	c.uint64("seq_no", &r.SeqNo)
	c.time("at", &r.At)
	c.json("answer", &r.Answer)
}

func (k *Key) fields(c *codec) {
	c.optional().uint16("network_id", &k.NetworkID)
	c.optional().uint32("node_id", &k.NodeID)
	c.optional().string("external_id", &k.ExternalID)
	c.optional().string("token_id", &k.TokenID)
	c.optional().string("receipt_id", &k.ReceiptID)
}

func (e *DeltaEntry) fields(c *codec) {
	c.uint64("seq_no", &e.SeqNo)
	c.entryType("type", &e.Type)
	c.optional().uint16("network_id", &e.NetworkID)
	c.optional().uint32("node_id", &e.NodeID)
	c.time("at", &e.At)
	c.repeated("actor", &e.Actor)
	c.data("data", e.Type, &e.Data)
}

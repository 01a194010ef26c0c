package directory

// AppendJSON appends the answer as JSON, byte for byte as the general encoder
// gives it, which takes several times as long for the hundred thousands of
// lines that an answer may have. Its strings are UTF-8.
func (r *DirectorySyncResult) AppendJSON(dst []byte) []byte {
	if room := r.likelyBytes(); cap(dst)-len(dst) < room {
		dst = append(make([]byte, 0, len(dst)+room), dst...)
	}
	c := codec{buf: dst}
	c.open('{')
	c.int("updated", &r.Updated)
	c.int("disabled", &r.Disabled)
	c.int("mapped", &r.Mapped)
	c.int("unmapped", &r.Unmapped)
	if r.Actions != nil {
		c.strings("actions", &r.Actions)
	}
	if r.Items != nil {
		c.list("items", len(r.Items))
		for i := range r.Items {
			c.item(i)
			c.open('{')
			r.Items[i].fields(&c)
			c.close('}')
		}
		c.close(']')
	}
	c.strings("warnings", &r.Warnings)
	c.int("skipped_no_external_id", &r.SkippedNoExternalID)
	c.string("plan_digest", &r.PlanDigest)
	c.bool("dry_run", &r.DryRun)
	c.close('}')
	return c.buf
}

func (i *DirectorySyncItem) fields(c *codec) {
	c.int("index", &i.Index)
	c.string("external_id", &i.ExternalID)
	c.string("outcome", (*string)(&i.Outcome))
	c.uint32s("node_ids", &i.NodeIDs)
	c.optional().role("role_from", &i.RoleFrom)
	c.optional().role("role_to", &i.RoleTo)
}

// likelyBytes is about how long the answer is as JSON, rather more than less.
func (r *DirectorySyncResult) likelyBytes() int {
	const whole, action, item = 512, len(`"",`), len(`{"index":,"external_id":"","outcome":"unassigned","node_ids":[],"role_from":"member","role_to":"member"},`)
	const number = 10 // digits
	n := whole
	for _, a := range r.Actions {
		n += action + len(a)
	}
	for i := range r.Items {
		n += item + number + len(r.Items[i].ExternalID) + (number+1)*len(r.Items[i].NodeIDs)
	}
	return n
}

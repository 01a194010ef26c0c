package directory

import "iter"

// Pieces yields the answer as JSON, all but the closing brace, so that more
// members may follow: byte for byte what the general encoder gives, which takes
// several times as long for the hundred thousands of lines that an answer may
// have. A piece has about size bytes and is good until the next step. The strings
// of the answer are UTF-8.
func (r *DirectorySyncResult) Pieces(size int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var c codec
		// item begins an item of a list, in another piece when this one is long enough.
		item := func(i int) (goOn bool) {
			if len(c.buf) >= size {
				if !yield(c.buf) {
					return false
				}
				c.buf = c.buf[:0]
			}
			c.item(i)
			return true
		}
		c.open('{')
		c.int("updated", &r.Updated)
		c.int("disabled", &r.Disabled)
		c.int("mapped", &r.Mapped)
		c.int("unmapped", &r.Unmapped)
		if r.Actions != nil {
			c.list("actions", len(r.Actions))
			for i := range r.Actions {
				if !item(i) {
					return
				}
				c.text(&r.Actions[i])
			}
			c.close(']')
		}
		if r.Items != nil {
			c.list("items", len(r.Items))
			for i := range r.Items {
				if !item(i) {
					return
				}
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
		yield(c.buf)
	}
}

func (i *DirectorySyncItem) fields(c *codec) {
	c.int("index", &i.Index)
	c.string("external_id", &i.ExternalID)
	c.string("outcome", (*string)(&i.Outcome))
	c.uint32s("node_ids", &i.NodeIDs)
	c.optional().role("role_from", &i.RoleFrom)
	c.optional().role("role_to", &i.RoleTo)
}

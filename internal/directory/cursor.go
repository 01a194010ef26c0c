package directory

import "github.com/tidwall/btree"

// cursor finds items for keys that come in ascending order. The next is as a
// rule close behind the one before, so it walks there, and searches anew only
// when the way is long. The tree must not change meanwhile.
type cursor[T any] struct {
	less  func(a, b T) bool
	items btree.IterG[T]
	on    bool // items stand on one
	ended bool // all items are before the last key
}

// far is how many items a cursor passes before it searches.
const far = 8

// start makes c one of the tree, before its first item.
func (c *cursor[T]) start(tree *btree.BTreeG[T], less func(a, b T) bool) {
	c.less = less
	c.items.Init(tree, false)
}

// seek goes to the first item that is not before key, which is not before the
// last one. It reports whether there is any.
func (c *cursor[T]) seek(key T) bool {
	for range far {
		if !c.on || c.ended || !c.less(c.items.Item(), key) {
			break
		}
		c.next()
	}
	if !c.ended && (!c.on || c.less(c.items.Item(), key)) {
		c.on = true
		c.ended = !c.items.Seek(key)
	}
	return !c.ended
}

// item is the one that the cursor stands on.
func (c *cursor[T]) item() T { return c.items.Item() }

// next goes to the item behind.
func (c *cursor[T]) next() bool {
	c.ended = !c.items.Next()
	return !c.ended
}

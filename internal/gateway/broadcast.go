package gateway

import "sync"

// broadcast wakes everybody who waits for something to happen again.
type broadcast struct {
	mu sync.Mutex
	ch chan struct{} // nil while nobody has asked since the last fire
}

// wait returns a channel that the next fire closes. Look at what is waited for
// after calling it, not before.
func (b *broadcast) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *broadcast) fire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}

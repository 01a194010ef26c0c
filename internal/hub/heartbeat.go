package hub

import (
	"sync"
	"time"
)

// maxBeats bounds the heartbeats kept per tick. Most subscribers stand at the
// same position and share one.
const maxBeats = 64

// beatCache keeps the heartbeats of the present tick. Guarded by Manager.mu.
type beatCache struct{ frames map[beatKey][]byte }

type beatKey struct {
	encoding *Encoding
	beat     beat
}

func (c *beatCache) get(k beatKey, f framer) []byte {
	if b := c.frames[k]; b != nil {
		return b
	}
	b := f.heartbeat(k.encoding, k.beat, time.Now())
	if c.frames == nil {
		c.frames = make(map[beatKey][]byte)
	}
	if len(c.frames) < maxBeats {
		c.frames[k] = b
	}
	return b
}

func (c *beatCache) reset() { clear(c.frames) }

// StartHeartbeat gives every subscriber a heartbeat each interval, whatever else
// it is sent, and sets what heartbeats call "interval_ms". It is called once,
// before the first AddSub. stop ends it and returns when its goroutine has ended.
func (m *Manager) StartHeartbeat(interval time.Duration) (stop func()) {
	m.mu.Lock()
	m.framer.interval = interval
	m.beats.reset()
	m.mu.Unlock()

	quit := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-quit:
				return
			case <-ticker.C:
				m.tick()
			}
		}
	})
	return sync.OnceFunc(func() {
		close(quit)
		running.Wait()
	})
}

func (m *Manager) tick() {
	m.mu.Lock()
	m.ticks++
	m.beats.reset()
	m.mu.Unlock()
	m.wakeAll()
}

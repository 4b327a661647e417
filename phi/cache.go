package phi

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// cache keeps at most max values, each until its own expiry, dropping the one that was used
// longest ago.
type cache[K comparable, V any] struct {
	max  int
	last atomic.Pointer[cached[K, V]] // the front of order: asked for again, it needs no lock

	mu    sync.Mutex
	items map[K]*list.Element
	order list.List // of *cached, most recently used first
}

// cached is never changed.
type cached[K comparable, V any] struct {
	key     K
	value   V
	expires time.Time
}

// forever is an expiry that lies after the zero time, at which such an item is asked for.
func forever() time.Time { return time.Unix(1, 0) }

func newCache[K comparable, V any](size int) *cache[K, V] {
	return &cache[K, V]{max: size, items: map[K]*list.Element{}}
}

func (c *cache[K, V]) get(k K, now time.Time) (v V, ok bool) {
	if item := c.last.Load(); item != nil && item.key == k && now.Before(item.expires) {
		return item.value, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[k]
	if !ok {
		return v, false
	}
	item := e.Value.(*cached[K, V])
	if !now.Before(item.expires) {
		c.drop(e)
		return v, false
	}
	c.order.MoveToFront(e)
	c.last.Store(item)
	return item.value, true
}

func (c *cache[K, V]) put(k K, v V, expires time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.items[k]; ok {
		c.drop(e)
	}
	item := &cached[K, V]{k, v, expires}
	c.items[k] = c.order.PushFront(item)
	c.last.Store(item)
	if c.order.Len() > c.max {
		c.drop(c.order.Back())
	}
}

// forget drops k.
func (c *cache[K, V]) forget(k K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.items[k]; ok {
		c.drop(e)
	}
}

// drain drops every value that which chooses.
func (c *cache[K, V]) drain(which func(V) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.items {
		if which(e.Value.(*cached[K, V]).value) {
			c.drop(e)
		}
	}
}

func (c *cache[K, V]) drop(e *list.Element) {
	item := c.order.Remove(e).(*cached[K, V])
	delete(c.items, item.key)
	c.last.CompareAndSwap(item, nil)
}

// flights lets one caller load a thing while the others wait for it.
type flights[K comparable] struct {
	mu   sync.Mutex
	open map[K]chan struct{}
}

// enter returns land when the caller is the one to load k. Otherwise it waits for whoever
// does, or for ctx, and returns nil: look again.
func (f *flights[K]) enter(ctx context.Context, k K) (land func(), err error) {
	f.mu.Lock()
	wait, busy := f.open[k]
	if !busy {
		if f.open == nil {
			f.open = map[K]chan struct{}{}
		}
		done := make(chan struct{})
		f.open[k] = done
		f.mu.Unlock()
		return func() {
			f.mu.Lock()
			delete(f.open, k)
			f.mu.Unlock()
			close(done)
		}, nil
	}
	f.mu.Unlock()
	select {
	case <-wait:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

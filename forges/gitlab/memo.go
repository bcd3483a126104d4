package gitlab

import "sync"

// memo reads each key once and remembers the answer, errors included. Its zero
// value is ready.
type memo[K comparable, V any] struct {
	mu   sync.Mutex
	read map[K]func() (V, error)
}

func (m *memo[K, V]) get(key K, read func() (V, error)) (V, error) {
	m.mu.Lock()
	if m.read == nil {
		m.read = map[K]func() (V, error){}
	}
	once, ok := m.read[key]
	if !ok {
		once = sync.OnceValues(read)
		m.read[key] = once
	}
	m.mu.Unlock()
	return once()
}

// forget lets key be read again: what must outlive a passing fault forgets it.
func (m *memo[K, V]) forget(key K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.read, key)
}

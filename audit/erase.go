package audit

import "context"

// eraseChunk is how many events one erasure names.
const eraseChunk = MaxObjects / 2

// Erase destroys the sealed private values of events for good; the events and their leaf
// hashes stay as they are. It first records that, as ActionErase by the actor in ctx, with the
// reason why. Events that do not exist, or are erased already, are no error, so after an error
// it may be called again.
//
// Errors: ErrNoActor, ErrNotFound for what is no event's ID, those of Record, and
// ErrUnavailable when the store failed: values may be erased or not.
func (l *Log) Erase(ctx context.Context, tenant Tenant, why Private, ids ...string) error {
	for _, id := range ids {
		if !isUUID(id) {
			return ErrNotFound
		}
	}
	for start := 0; start < len(ids); start += eraseChunk {
		some := ids[start:min(start+eraseChunk, len(ids))]
		e := Event{Tenant: tenant, Action: ActionErase, Verb: Delete, Why: why}
		for _, id := range some {
			e.Objects = append(e.Objects, Object{Type: "audit_event", ID: id})
		}
		if err := l.Record(ctx, e); err != nil {
			return err
		}
		if err := l.store.Erase(ctx, tenant, some); err != nil {
			return because(ErrUnavailable, err)
		}
	}
	return nil
}

-- The tenants, numbered, and the head of each one's order.
CREATE TABLE audit_tenant (
	no INTEGER PRIMARY KEY CHECK (no BETWEEN 1 AND 4194303),
	tenant TEXT NOT NULL UNIQUE,
	given INTEGER NOT NULL, -- places that were given out
	size INTEGER NOT NULL, -- entries that can be found, the first of those places
	latest INTEGER NOT NULL, -- the highest recorded of these
	late INTEGER NOT NULL, -- how far recorded ever was below the highest before it
	low INTEGER NOT NULL, -- the lowest and the highest since the last mark
	high INTEGER NOT NULL
) STRICT;

-- One row per event. place is the tenant's number times 2^40 and the place in its order. body
-- is the event in packed form; leaf is SHA-256(0x00 || the canonical bytes); sealed holds its
-- private values until they are erased.
CREATE TABLE audit_entry (
	place INTEGER PRIMARY KEY,
	recorded INTEGER NOT NULL,
	outcome INTEGER NOT NULL,
	id BLOB NOT NULL,
	leaf BLOB NOT NULL,
	body BLOB NOT NULL,
	sealed BLOB
) STRICT;

CREATE UNIQUE INDEX audit_entry_id ON audit_entry (id, place >> 40);

-- What entries are found by: pairs of a key, which is a hash of an actor, an action, a patient,
-- an object or its type, and the place of an entry. They are in runs that are sorted by key and
-- place and cut into blocks; key and place of a block are those of its first pair. A run is
-- being built (state 0) from others, whose merges is its number, or live (1), or dead (2). Key
-- and place of one that is being built are its last pair so far.
CREATE TABLE audit_run (
	no INTEGER PRIMARY KEY,
	level INTEGER NOT NULL,
	state INTEGER NOT NULL,
	merges INTEGER NOT NULL DEFAULT 0,
	key INTEGER NOT NULL DEFAULT (-9223372036854775807),
	place INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE audit_block (
	run INTEGER NOT NULL,
	key INTEGER NOT NULL,
	place INTEGER NOT NULL,
	data BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX audit_block_first ON audit_block (run, key, place);

-- One row per commit whose entries cannot be found yet: their places, times and hashes.
CREATE TABLE audit_pending (
	serial INTEGER PRIMARY KEY AUTOINCREMENT,
	entries INTEGER NOT NULL,
	oldest INTEGER NOT NULL, -- recorded of the first
	data BLOB NOT NULL
) STRICT;

-- One row per 256 entries of a tenant: the lowest and highest recorded among them, and the
-- highest of all until then.
CREATE TABLE audit_mark (
	place INTEGER PRIMARY KEY,
	latest INTEGER NOT NULL,
	low INTEGER NOT NULL,
	high INTEGER NOT NULL
) STRICT;

CREATE INDEX audit_mark_latest ON audit_mark (place >> 40, latest, place);

-- What release 0.1 recorded and, while both run, records; Migrate moves it.
CREATE TABLE audit_import (
	recorded INTEGER NOT NULL,
	id BLOB NOT NULL,
	tenant TEXT NOT NULL,
	PRIMARY KEY (recorded, id, tenant)
) STRICT, WITHOUT ROWID;

INSERT INTO audit_import (recorded, id, tenant) SELECT recorded, id, tenant FROM audit_event;

CREATE TRIGGER audit_event_import AFTER INSERT ON audit_event BEGIN INSERT INTO audit_import (recorded, id, tenant) VALUES (NEW.recorded, NEW.id, NEW.tenant); END;

-- Not a defence against whoever owns the database, but against a careless statement.
CREATE TRIGGER audit_entry_no_update BEFORE UPDATE ON audit_entry
WHEN NEW.sealed IS NOT NULL OR NEW.place IS NOT OLD.place OR NEW.recorded IS NOT OLD.recorded OR NEW.outcome IS NOT OLD.outcome
	OR NEW.id IS NOT OLD.id OR NEW.leaf IS NOT OLD.leaf OR NEW.body IS NOT OLD.body
BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END;

CREATE TRIGGER audit_entry_no_delete BEFORE DELETE ON audit_entry BEGIN SELECT RAISE(ABORT, 'audit events are never deleted'); END;

CREATE TRIGGER audit_mark_no_update BEFORE UPDATE ON audit_mark BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END;

CREATE TRIGGER audit_mark_no_delete BEFORE DELETE ON audit_mark BEGIN SELECT RAISE(ABORT, 'audit events are never deleted'); END;

CREATE TRIGGER audit_tenant_no_delete BEFORE DELETE ON audit_tenant BEGIN SELECT RAISE(ABORT, 'audit events are never deleted'); END;

CREATE TRIGGER audit_block_no_update BEFORE UPDATE ON audit_block BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END;

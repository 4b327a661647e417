-- One row per event. body is the event; leaf is SHA-256(0x00 || body); the other columns
-- repeat parts of body so that an event can be found.
CREATE TABLE audit_event (
	tenant TEXT NOT NULL,
	id BLOB NOT NULL,
	recorded INTEGER NOT NULL,
	actor TEXT NOT NULL,
	action TEXT NOT NULL,
	outcome INTEGER NOT NULL,
	leaf BLOB NOT NULL,
	body BLOB NOT NULL,
	PRIMARY KEY (tenant, id)
) STRICT;

CREATE INDEX audit_event_time ON audit_event (tenant, recorded, id);

CREATE INDEX audit_event_actor ON audit_event (tenant, actor, recorded, id);

CREATE INDEX audit_event_action ON audit_event (tenant, action, recorded, id);

CREATE TABLE audit_event_patient (
	tenant TEXT NOT NULL,
	patient TEXT NOT NULL,
	recorded INTEGER NOT NULL,
	id BLOB NOT NULL,
	PRIMARY KEY (tenant, patient, recorded, id)
) STRICT, WITHOUT ROWID;

-- One row per object, and one per type with an empty object: a listing by type alone reads
-- the same tree in order.
CREATE TABLE audit_event_object (
	tenant TEXT NOT NULL,
	type TEXT NOT NULL,
	object TEXT NOT NULL,
	recorded INTEGER NOT NULL,
	id BLOB NOT NULL,
	PRIMARY KEY (tenant, type, object, recorded, id)
) STRICT, WITHOUT ROWID;

-- Sealed private values. Deleting a row erases them; the event does not change.
CREATE TABLE audit_opening (
	tenant TEXT NOT NULL,
	id BLOB NOT NULL,
	sealed BLOB NOT NULL,
	PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

-- Not a defence against whoever owns the database, but against a careless statement.
CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END;

CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event BEGIN SELECT RAISE(ABORT, 'audit events are never deleted'); END;

CREATE TRIGGER audit_event_patient_no_update BEFORE UPDATE ON audit_event_patient BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END;

CREATE TRIGGER audit_event_patient_no_delete BEFORE DELETE ON audit_event_patient BEGIN SELECT RAISE(ABORT, 'audit events are never deleted'); END;

CREATE TRIGGER audit_event_object_no_update BEFORE UPDATE ON audit_event_object BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END;

CREATE TRIGGER audit_event_object_no_delete BEFORE DELETE ON audit_event_object BEGIN SELECT RAISE(ABORT, 'audit events are never deleted'); END;

CREATE TRIGGER audit_opening_no_update BEFORE UPDATE ON audit_opening BEGIN SELECT RAISE(ABORT, 'audit openings are never changed'); END;

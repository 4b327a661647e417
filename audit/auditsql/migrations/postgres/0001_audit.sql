-- One row per event. body is the event; leaf is SHA-256(0x00 || body); the other columns
-- repeat parts of body so that an event can be found. Text compares byte by byte.
CREATE TABLE audit_event (
	tenant TEXT COLLATE "C" NOT NULL,
	id BYTEA NOT NULL,
	recorded BIGINT NOT NULL,
	actor TEXT COLLATE "C" NOT NULL,
	action TEXT COLLATE "C" NOT NULL,
	outcome SMALLINT NOT NULL,
	leaf BYTEA NOT NULL,
	body BYTEA NOT NULL,
	PRIMARY KEY (tenant, id)
);

CREATE INDEX audit_event_time ON audit_event (tenant, recorded, id);

CREATE INDEX audit_event_actor ON audit_event (tenant, actor, recorded, id);

CREATE INDEX audit_event_action ON audit_event (tenant, action, recorded, id);

CREATE TABLE audit_event_patient (
	tenant TEXT COLLATE "C" NOT NULL,
	patient TEXT COLLATE "C" NOT NULL,
	recorded BIGINT NOT NULL,
	id BYTEA NOT NULL,
	PRIMARY KEY (tenant, patient, recorded, id)
);

-- One row per object, and one per type with an empty object: a listing by type alone reads
-- the same index in order.
CREATE TABLE audit_event_object (
	tenant TEXT COLLATE "C" NOT NULL,
	type TEXT COLLATE "C" NOT NULL,
	object TEXT COLLATE "C" NOT NULL,
	recorded BIGINT NOT NULL,
	id BYTEA NOT NULL,
	PRIMARY KEY (tenant, type, object, recorded, id)
);

-- Sealed private values. Deleting a row erases them; the event does not change.
CREATE TABLE audit_opening (
	tenant TEXT COLLATE "C" NOT NULL,
	id BYTEA NOT NULL,
	sealed BYTEA NOT NULL,
	PRIMARY KEY (tenant, id)
);

-- Not a defence against whoever owns the database, but against a careless statement.
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'audit events are never changed or deleted'; END $$;

CREATE TRIGGER audit_event_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE TRIGGER audit_event_patient_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event_patient FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE TRIGGER audit_event_object_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event_object FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE TRIGGER audit_opening_refuse BEFORE UPDATE OR TRUNCATE ON audit_opening FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

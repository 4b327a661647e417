-- The tenants, numbered, and the head of each one's order.
CREATE TABLE audit_tenant (
	no INTEGER PRIMARY KEY CHECK (no BETWEEN 1 AND 4194303),
	tenant TEXT COLLATE "C" NOT NULL UNIQUE,
	given BIGINT NOT NULL, -- places that were given out
	size BIGINT NOT NULL, -- entries that can be found, the first of those places
	latest BIGINT NOT NULL, -- the highest recorded of these
	late BIGINT NOT NULL, -- how far recorded ever was below the highest before it
	low BIGINT NOT NULL, -- the lowest and the highest since the last mark
	high BIGINT NOT NULL
) WITH (fillfactor = 50);

-- One row per event. place is the tenant's number times 2^40 and the place in its order. body
-- is the event in packed form; leaf is SHA-256(0x00 || the canonical bytes); sealed holds its
-- private values until they are erased.
CREATE TABLE audit_entry (
	place BIGINT PRIMARY KEY,
	recorded BIGINT NOT NULL,
	outcome SMALLINT NOT NULL,
	id BYTEA NOT NULL,
	leaf BYTEA NOT NULL,
	body BYTEA NOT NULL,
	sealed BYTEA
);

CREATE UNIQUE INDEX audit_entry_id ON audit_entry (id, ((place >> 40)::INTEGER));

-- What entries are found by: pairs of a key, which is a hash of an actor, an action, a patient,
-- an object or its type, and the place of an entry. They are in runs that are sorted by key and
-- place and cut into blocks; key and place of a block are those of its first pair. A run is
-- being built (state 0) from others, whose merges is its number, or live (1), or dead (2). Key
-- and place of one that is being built are its last pair so far.
CREATE TABLE audit_run (
	no BIGINT PRIMARY KEY,
	level INTEGER NOT NULL,
	state INTEGER NOT NULL,
	merges BIGINT NOT NULL DEFAULT 0,
	key BIGINT NOT NULL DEFAULT (-9223372036854775807),
	place BIGINT NOT NULL DEFAULT 0
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE audit_block (
	run BIGINT NOT NULL,
	key BIGINT NOT NULL,
	place BIGINT NOT NULL,
	data BYTEA NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);

ALTER TABLE audit_block ALTER COLUMN data SET STORAGE PLAIN;

CREATE UNIQUE INDEX audit_block_first ON audit_block (run, key, place);

-- What was committed and has no place yet. Serials grow with time: one that a transaction drew
-- after another had committed is higher. mac authenticates every other column but serial,
-- sealed and refused. A refused row was not written by who holds the key.
CREATE SEQUENCE audit_serial INCREMENT BY 65536;

CREATE TABLE audit_pending (
	serial BIGINT NOT NULL,
	tenant TEXT COLLATE "C" NOT NULL,
	id BYTEA NOT NULL,
	recorded BIGINT NOT NULL,
	outcome SMALLINT NOT NULL,
	leaf BYTEA NOT NULL,
	body BYTEA NOT NULL,
	keys BYTEA NOT NULL,
	mac BYTEA NOT NULL,
	sealed BYTEA,
	refused BOOLEAN NOT NULL DEFAULT FALSE,
	PRIMARY KEY (id, tenant)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

CREATE INDEX audit_pending_order ON audit_pending (serial) WHERE NOT refused;

CREATE INDEX audit_pending_refused ON audit_pending (serial) WHERE refused;

-- Adds rows to audit_pending, all or none: false, or with strict an error, says that an ID is
-- there already. Numbers come as arrays; all bytes of all rows come in one piece, each row
-- from a_at on: tenant, ID, leaf, body, keys, MAC and private values, with the lengths in a_t,
-- a_b, a_k and a_s. a_fresh says that no ID was used before.
--
-- That an ID is nowhere else takes two looks, and their order matters. The unique index is the
-- first: while somebody else's row of the same ID is being added or taken away here, the
-- insert waits for that transaction. If the row is there then, it is left out and the count is
-- short. If the sequencer took it away, it had put it into audit_entry in the same transaction,
-- which the second look sees, because it has a snapshot of its own (READ COMMITTED). Once the
-- insert is through, nobody else can have a row of this ID here until this transaction ends,
-- and only from here do entries reach audit_entry: what the second look did not find does not
-- appear later. The inner query of that look cannot become a join, so that its plan is a look
-- into the index, however large the table was when it was planned.
CREATE FUNCTION audit_land(a_data BYTEA, a_n INTEGER[], a_recorded BIGINT[], a_outcome SMALLINT[], a_at INTEGER[],
	a_t INTEGER[], a_b INTEGER[], a_k INTEGER[], a_s INTEGER[], a_fresh BOOLEAN, a_strict BOOLEAN)
RETURNS BOOLEAN LANGUAGE plpgsql AS $$
DECLARE
	a_base BIGINT := nextval('audit_serial');
	a_landed BIGINT;
	a_known BIGINT := 0;
BEGIN
	PERFORM set_config('synchronous_commit', 'on', TRUE);
	INSERT INTO audit_pending (serial, tenant, id, recorded, outcome, leaf, body, keys, mac, sealed)
	SELECT a_base + u.n, convert_from(substring(a_data, u.at, u.t), 'UTF8'), substring(a_data, u.at + u.t, 16), u.recorded, u.outcome,
		substring(a_data, u.at + u.t + 16, 32), substring(a_data, u.at + u.t + 48, u.b), substring(a_data, u.at + u.t + 48 + u.b, u.k),
		substring(a_data, u.at + u.t + 48 + u.b + u.k, 32), NULLIF(substring(a_data, u.at + u.t + 80 + u.b + u.k, u.s), ''::bytea)
	FROM unnest(a_n, a_recorded, a_outcome, a_at, a_t, a_b, a_k, a_s) AS u (n, recorded, outcome, at, t, b, k, s)
	ON CONFLICT (id, tenant) DO NOTHING;
	GET DIAGNOSTICS a_landed = ROW_COUNT;
	IF a_landed = cardinality(a_n) AND NOT a_fresh THEN
		SELECT COUNT(*) INTO a_known FROM (SELECT (SELECT 1 FROM audit_entry e
			WHERE e.id = substring(a_data, u.at + u.t, 16) AND (e.place >> 40)::INTEGER =
				(SELECT t.no FROM audit_tenant t WHERE t.tenant = convert_from(substring(a_data, u.at, u.t), 'UTF8'))) AS there
		FROM unnest(a_at, a_t) AS u (at, t)) AS found WHERE there IS NOT NULL;
	END IF;
	IF a_landed = cardinality(a_n) AND a_known = 0 THEN
		RETURN TRUE;
	ELSIF a_strict THEN
		RAISE EXCEPTION 'an event with this id is there already' USING ERRCODE = 'WA001';
	END IF;
	RETURN FALSE;
END $$;

-- One row per 256 entries of a tenant: the lowest and highest recorded among them, and the
-- highest of all until then.
CREATE TABLE audit_mark (
	place BIGINT PRIMARY KEY,
	latest BIGINT NOT NULL,
	low BIGINT NOT NULL,
	high BIGINT NOT NULL
);

CREATE INDEX audit_mark_latest ON audit_mark (((place >> 40)::INTEGER), latest, place);

-- What release 0.1 recorded and, while both run, records; Migrate moves it. The trigger runs
-- with its owner's rights, so that the older release needs no more rights than it had.
CREATE TABLE audit_import (
	recorded BIGINT NOT NULL,
	id BYTEA NOT NULL,
	tenant TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (recorded, id, tenant)
);

CREATE FUNCTION audit_event_import() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$ BEGIN INSERT INTO audit_import (recorded, id, tenant) VALUES (NEW.recorded, NEW.id, NEW.tenant); RETURN NULL; END $$;

CREATE TRIGGER audit_event_import AFTER INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION audit_event_import();

INSERT INTO audit_import (recorded, id, tenant) SELECT recorded, id, tenant FROM audit_event;

-- Not a defence against whoever owns the database, but against a careless statement.
CREATE TRIGGER audit_entry_update BEFORE UPDATE ON audit_entry FOR EACH ROW
WHEN (NEW.sealed IS NOT NULL OR (NEW.place, NEW.recorded, NEW.outcome, NEW.id, NEW.leaf, NEW.body) IS DISTINCT FROM (OLD.place, OLD.recorded, OLD.outcome, OLD.id, OLD.leaf, OLD.body))
EXECUTE FUNCTION audit_refuse();

CREATE TRIGGER audit_entry_refuse BEFORE DELETE OR TRUNCATE ON audit_entry FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE TRIGGER audit_pending_refuse BEFORE TRUNCATE ON audit_pending FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE TRIGGER audit_block_refuse BEFORE UPDATE OR TRUNCATE ON audit_block FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE TRIGGER audit_mark_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_mark FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE TRIGGER audit_tenant_refuse BEFORE DELETE OR TRUNCATE ON audit_tenant FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

-- The function of migration 0002, for which two looks in one transaction must be two
-- snapshots: where a session's default is a stricter isolation, it refuses to record instead of
-- overlooking an event that has the same ID.
CREATE OR REPLACE FUNCTION audit_land(a_data BYTEA, a_n INTEGER[], a_recorded BIGINT[], a_outcome SMALLINT[], a_at INTEGER[],
	a_t INTEGER[], a_b INTEGER[], a_k INTEGER[], a_s INTEGER[], a_fresh BOOLEAN, a_strict BOOLEAN)
RETURNS BOOLEAN LANGUAGE plpgsql AS $$
DECLARE
	a_base BIGINT := nextval('audit_serial');
	a_landed BIGINT;
	a_known BIGINT := 0;
BEGIN
	IF a_strict AND current_setting('transaction_isolation') <> 'read committed' THEN
		RAISE EXCEPTION 'recording needs READ COMMITTED' USING ERRCODE = 'WA002';
	END IF;
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

-- A temporary table must not stand in for one of these, neither for the sake of whose rights a
-- function runs with nor for the event that would end in it.
DO $$ BEGIN
	EXECUTE format('ALTER FUNCTION audit_land(BYTEA, INTEGER[], BIGINT[], SMALLINT[], INTEGER[], INTEGER[], INTEGER[], INTEGER[], INTEGER[], BOOLEAN, BOOLEAN) SET search_path = %I, pg_temp', current_schema());
	EXECUTE format('ALTER FUNCTION audit_event_import() SET search_path = %I, pg_temp', current_schema());
END $$;

-- What a careless statement would hide events with: a run may go when others took its place,
-- and its blocks with it.
CREATE FUNCTION audit_run_guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF TG_OP = 'UPDATE' AND (NEW.no <> OLD.no OR NEW.level <> OLD.level OR NEW.state = 2 AND OLD.merges = 0)
		OR TG_OP = 'DELETE' AND OLD.state <> 2 THEN
		RAISE EXCEPTION 'audit runs are never changed or deleted before they were merged';
	END IF;
	RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE TRIGGER audit_run_guard BEFORE UPDATE OR DELETE ON audit_run FOR EACH ROW EXECUTE FUNCTION audit_run_guard();

CREATE FUNCTION audit_block_guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF (SELECT r.state FROM audit_run r WHERE r.no = OLD.run) IS DISTINCT FROM 2 THEN
		RAISE EXCEPTION 'audit blocks are never deleted before they were merged';
	END IF;
	RETURN OLD;
END $$;

CREATE TRIGGER audit_block_guard BEFORE DELETE ON audit_block FOR EACH ROW EXECUTE FUNCTION audit_block_guard();

CREATE TRIGGER audit_run_truncate BEFORE TRUNCATE ON audit_run FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

-- What the key was made known by that rows in audit_pending are authenticated with: a keyed
-- hash, one row at most.
CREATE TABLE audit_key (
	fingerprint BYTEA PRIMARY KEY
);

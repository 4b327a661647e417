-- The places whose events were destroyed after their retention, from place to until-1, without
-- spans that meet. Of such an event audit_entry keeps place, recorded, id and leaf; its body is
-- empty, its outcome -1 and sealed NULL.
CREATE TABLE audit_purged (
	place BIGINT PRIMARY KEY,
	until BIGINT NOT NULL CHECK (until > place)
);

-- What is being purged in a transaction that is open: a run, or 0 for events. It is empty for
-- everybody else.
CREATE TABLE audit_purging (
	run BIGINT PRIMARY KEY
);

-- Whoever reads events reads which of them were purged.
DO $$ DECLARE a_role TEXT; BEGIN
	FOR a_role IN SELECT DISTINCT CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END
		FROM pg_class c, aclexplode(c.relacl) x WHERE c.oid = to_regclass('audit_entry') AND x.privilege_type = 'SELECT'
	LOOP
		EXECUTE 'GRANT SELECT ON audit_purged, audit_purging TO ' || a_role;
	END LOOP;
END $$;

-- The guards let pass what a purge does, and nothing else. Not a defence against whoever owns
-- the database, but against a careless statement.
CREATE FUNCTION audit_purged_guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF TG_OP = 'DELETE' THEN
		IF NOT EXISTS (SELECT 1 FROM audit_purged p WHERE p.place < OLD.place AND p.until >= OLD.until) THEN
			RAISE EXCEPTION 'audit events stay purged';
		END IF;
		RETURN OLD;
	END IF;
	IF NOT EXISTS (SELECT 1 FROM audit_purging WHERE run = 0) OR TG_OP = 'UPDATE' AND (NEW.place <> OLD.place OR NEW.until < OLD.until) THEN
		RAISE EXCEPTION 'audit events are purged by a purge only';
	END IF;
	RETURN NEW;
END $$;

CREATE TRIGGER audit_purged_guard BEFORE INSERT OR UPDATE OR DELETE ON audit_purged FOR EACH ROW EXECUTE FUNCTION audit_purged_guard();

CREATE TRIGGER audit_purged_refuse BEFORE TRUNCATE ON audit_purged FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE FUNCTION audit_entry_guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF NEW.sealed IS NOT NULL OR (NEW.place, NEW.recorded, NEW.id, NEW.leaf) IS DISTINCT FROM (OLD.place, OLD.recorded, OLD.id, OLD.leaf)
		OR NEW.outcome <> -1 OR length(NEW.body) > 0
		OR COALESCE((SELECT p.until FROM audit_purged p WHERE p.place <= OLD.place ORDER BY p.place DESC LIMIT 1), 0) <= OLD.place THEN
		RAISE EXCEPTION 'audit events are never changed or deleted';
	END IF;
	RETURN NEW;
END $$;

DROP TRIGGER audit_entry_update ON audit_entry;

CREATE TRIGGER audit_entry_update BEFORE UPDATE ON audit_entry FOR EACH ROW
WHEN (NEW.sealed IS NOT NULL OR (NEW.place, NEW.recorded, NEW.outcome, NEW.id, NEW.leaf, NEW.body) IS DISTINCT FROM (OLD.place, OLD.recorded, OLD.outcome, OLD.id, OLD.leaf, OLD.body))
EXECUTE FUNCTION audit_entry_guard();

-- A run without blocks finds nothing.
CREATE OR REPLACE FUNCTION audit_run_guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF TG_OP = 'UPDATE' AND (NEW.no <> OLD.no OR NEW.level <> OLD.level OR NEW.state = 2 AND OLD.merges = 0) THEN
		RAISE EXCEPTION 'audit runs are never changed or deleted before they were merged';
	END IF;
	IF TG_OP = 'DELETE' AND OLD.state <> 2 THEN
		IF OLD.state <> 1 OR OLD.merges <> 0 OR EXISTS (SELECT 1 FROM audit_block b WHERE b.run = OLD.no) THEN
			RAISE EXCEPTION 'audit runs are never changed or deleted before they were merged';
		END IF;
	END IF;
	RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE OR REPLACE FUNCTION audit_block_guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF (SELECT r.state FROM audit_run r WHERE r.no = OLD.run) IS DISTINCT FROM 2 THEN
		IF NOT EXISTS (SELECT 1 FROM audit_purging p WHERE p.run = OLD.run) THEN
			RAISE EXCEPTION 'audit blocks are never deleted before they were merged';
		END IF;
	END IF;
	RETURN OLD;
END $$;

-- What release 0.1 has of an event goes with it.
CREATE FUNCTION audit_old_guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF NOT EXISTS (SELECT 1 FROM audit_entry e WHERE e.id = OLD.id AND e.outcome = -1
		AND (e.place >> 40)::INTEGER = (SELECT t.no FROM audit_tenant t WHERE t.tenant = OLD.tenant)) THEN
		RAISE EXCEPTION 'audit events are never changed or deleted';
	END IF;
	RETURN OLD;
END $$;

DROP TRIGGER audit_event_refuse ON audit_event;

CREATE TRIGGER audit_event_refuse BEFORE UPDATE OR TRUNCATE ON audit_event FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE TRIGGER audit_event_delete BEFORE DELETE ON audit_event FOR EACH ROW EXECUTE FUNCTION audit_old_guard();

DROP TRIGGER audit_event_patient_refuse ON audit_event_patient;

CREATE TRIGGER audit_event_patient_refuse BEFORE UPDATE OR TRUNCATE ON audit_event_patient FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE TRIGGER audit_event_patient_delete BEFORE DELETE ON audit_event_patient FOR EACH ROW EXECUTE FUNCTION audit_old_guard();

DROP TRIGGER audit_event_object_refuse ON audit_event_object;

CREATE TRIGGER audit_event_object_refuse BEFORE UPDATE OR TRUNCATE ON audit_event_object FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE TRIGGER audit_event_object_delete BEFORE DELETE ON audit_event_object FOR EACH ROW EXECUTE FUNCTION audit_old_guard();

-- The places whose events were destroyed after their retention, from place to until-1, without
-- spans that meet. Of such an event audit_entry keeps place, recorded, id and leaf; its body is
-- empty, its outcome -1 and sealed NULL.
CREATE TABLE audit_purged (
	place INTEGER PRIMARY KEY,
	until INTEGER NOT NULL CHECK (until > place)
) STRICT;

-- What is being purged in a transaction that is open: a run, or 0 for events. It is empty for
-- everybody else.
CREATE TABLE audit_purging (
	run INTEGER PRIMARY KEY
) STRICT;

-- The guards let pass what a purge does, and nothing else. Not a defence against whoever owns
-- the database, but against a careless statement.
CREATE TRIGGER audit_purged_insert BEFORE INSERT ON audit_purged
WHEN NOT EXISTS (SELECT 1 FROM audit_purging WHERE run = 0)
BEGIN SELECT RAISE(ABORT, 'audit events are purged by a purge only'); END;

CREATE TRIGGER audit_purged_update BEFORE UPDATE ON audit_purged
WHEN NOT EXISTS (SELECT 1 FROM audit_purging WHERE run = 0) OR NEW.place <> OLD.place OR NEW.until < OLD.until
BEGIN SELECT RAISE(ABORT, 'audit events are purged by a purge only'); END;

CREATE TRIGGER audit_purged_delete BEFORE DELETE ON audit_purged
WHEN NOT EXISTS (SELECT 1 FROM audit_purged WHERE place < OLD.place AND until >= OLD.until)
BEGIN SELECT RAISE(ABORT, 'audit events stay purged'); END;

DROP TRIGGER audit_entry_no_update;

CREATE TRIGGER audit_entry_no_update BEFORE UPDATE ON audit_entry
WHEN NEW.sealed IS NOT NULL OR NEW.place IS NOT OLD.place OR NEW.recorded IS NOT OLD.recorded OR NEW.id IS NOT OLD.id OR NEW.leaf IS NOT OLD.leaf
	OR (NEW.outcome IS NOT OLD.outcome OR NEW.body IS NOT OLD.body) AND (NEW.outcome <> -1 OR length(NEW.body) > 0
		OR COALESCE((SELECT p.until FROM audit_purged p WHERE p.place <= OLD.place ORDER BY p.place DESC LIMIT 1), 0) <= OLD.place)
BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END;

DROP TRIGGER audit_block_delete;

CREATE TRIGGER audit_block_delete BEFORE DELETE ON audit_block
WHEN (SELECT state FROM audit_run WHERE no = OLD.run) IS NOT 2 AND NOT EXISTS (SELECT 1 FROM audit_purging WHERE run = OLD.run)
BEGIN SELECT RAISE(ABORT, 'audit blocks are never deleted before they were merged'); END;

-- A run without blocks finds nothing.
DROP TRIGGER audit_run_delete;

CREATE TRIGGER audit_run_delete BEFORE DELETE ON audit_run
WHEN OLD.state <> 2 AND (OLD.state <> 1 OR OLD.merges <> 0 OR EXISTS (SELECT 1 FROM audit_block WHERE run = OLD.no))
BEGIN SELECT RAISE(ABORT, 'audit runs are never deleted before they were merged'); END;

-- What release 0.1 has of an event goes with it.
DROP TRIGGER audit_event_no_delete;

CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event
WHEN NOT EXISTS (SELECT 1 FROM audit_entry e WHERE e.id = OLD.id AND e.place >> 40 = (SELECT no FROM audit_tenant WHERE tenant = OLD.tenant) AND e.outcome = -1)
BEGIN SELECT RAISE(ABORT, 'audit events are never deleted'); END;

DROP TRIGGER audit_event_patient_no_delete;

CREATE TRIGGER audit_event_patient_no_delete BEFORE DELETE ON audit_event_patient
WHEN NOT EXISTS (SELECT 1 FROM audit_entry e WHERE e.id = OLD.id AND e.place >> 40 = (SELECT no FROM audit_tenant WHERE tenant = OLD.tenant) AND e.outcome = -1)
BEGIN SELECT RAISE(ABORT, 'audit events are never deleted'); END;

DROP TRIGGER audit_event_object_no_delete;

CREATE TRIGGER audit_event_object_no_delete BEFORE DELETE ON audit_event_object
WHEN NOT EXISTS (SELECT 1 FROM audit_entry e WHERE e.id = OLD.id AND e.place >> 40 = (SELECT no FROM audit_tenant WHERE tenant = OLD.tenant) AND e.outcome = -1)
BEGIN SELECT RAISE(ABORT, 'audit events are never deleted'); END;

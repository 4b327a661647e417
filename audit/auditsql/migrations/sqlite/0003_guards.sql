-- What a careless statement would hide events with: a run may go when others took its place,
-- and its blocks with it.
CREATE TRIGGER audit_run_update BEFORE UPDATE ON audit_run
WHEN NEW.no <> OLD.no OR NEW.level <> OLD.level OR NEW.state = 2 AND OLD.merges = 0
BEGIN SELECT RAISE(ABORT, 'audit runs are never changed before they were merged'); END;

CREATE TRIGGER audit_run_delete BEFORE DELETE ON audit_run WHEN OLD.state <> 2
BEGIN SELECT RAISE(ABORT, 'audit runs are never deleted before they were merged'); END;

CREATE TRIGGER audit_block_delete BEFORE DELETE ON audit_block
WHEN (SELECT state FROM audit_run WHERE no = OLD.run) IS NOT 2
BEGIN SELECT RAISE(ABORT, 'audit blocks are never deleted before they were merged'); END;

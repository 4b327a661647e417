-- The root log: what each tenant's tree was at one time. Dense from 0.
CREATE TABLE audit_root (
	n INTEGER PRIMARY KEY,
	tenant TEXT NOT NULL,
	size INTEGER NOT NULL,
	root BLOB NOT NULL,
	at INTEGER NOT NULL
) STRICT;

CREATE INDEX audit_root_tenant ON audit_root (tenant, n);

-- The trees' tiles from level 1 on: up to 256 hashes of 32 bytes. The root log's have no tenant.
CREATE TABLE audit_tile (
	tenant TEXT NOT NULL,
	level INTEGER NOT NULL,
	n INTEGER NOT NULL,
	data BLOB NOT NULL,
	PRIMARY KEY (tenant, level, n)
) STRICT, WITHOUT ROWID;

-- The signed checkpoints by the size of the root log.
CREATE TABLE audit_checkpoint (
	size INTEGER PRIMARY KEY,
	note BLOB NOT NULL
) STRICT;

-- Not a defence against whoever owns the database, but against a careless statement.
CREATE TRIGGER audit_root_no_update BEFORE UPDATE ON audit_root BEGIN SELECT RAISE(ABORT, 'the root log is never changed'); END;

CREATE TRIGGER audit_root_no_delete BEFORE DELETE ON audit_root BEGIN SELECT RAISE(ABORT, 'the root log is never changed'); END;

CREATE TRIGGER audit_checkpoint_no_update BEFORE UPDATE ON audit_checkpoint BEGIN SELECT RAISE(ABORT, 'checkpoints are never changed'); END;

CREATE TRIGGER audit_checkpoint_no_delete BEFORE DELETE ON audit_checkpoint BEGIN SELECT RAISE(ABORT, 'checkpoints are never changed'); END;

-- The root log: what each tenant's tree was at one time. Dense from 0.
CREATE TABLE audit_root (
	n BIGINT PRIMARY KEY,
	tenant TEXT NOT NULL,
	size BIGINT NOT NULL,
	root BYTEA NOT NULL,
	at BIGINT NOT NULL
);

CREATE INDEX audit_root_tenant ON audit_root (tenant, n);

-- The trees' tiles from level 1 on: up to 256 hashes of 32 bytes. The root log's have no tenant.
CREATE TABLE audit_tile (
	tenant TEXT NOT NULL,
	level BIGINT NOT NULL,
	n BIGINT NOT NULL,
	data BYTEA NOT NULL,
	PRIMARY KEY (tenant, level, n)
);

-- The signed checkpoints by the size of the root log.
CREATE TABLE audit_checkpoint (
	size BIGINT PRIMARY KEY,
	note BYTEA NOT NULL
);

-- Not a defence against whoever owns the database, but against a careless statement.

CREATE FUNCTION audit_tlog_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the root log is never changed'; END $$;

CREATE TRIGGER audit_root_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_root FOR EACH STATEMENT EXECUTE FUNCTION audit_tlog_refuse();

CREATE TRIGGER audit_checkpoint_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoint FOR EACH STATEMENT EXECUTE FUNCTION audit_tlog_refuse();

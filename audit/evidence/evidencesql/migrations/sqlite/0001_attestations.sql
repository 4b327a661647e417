-- What people attest: the latest statement of each ID. Times are microseconds since 1970 UTC, 0 for
-- none; citations are lines.
CREATE TABLE evidence_attestation (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	version INTEGER NOT NULL,
	what TEXT NOT NULL,
	detail TEXT NOT NULL,
	person TEXT NOT NULL,
	said_by TEXT NOT NULL,
	said_at INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	citations TEXT NOT NULL,
	withdrawn INTEGER NOT NULL,
	PRIMARY KEY (tenant, id)
) STRICT;

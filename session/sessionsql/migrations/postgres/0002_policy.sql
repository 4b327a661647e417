-- superseded is 0 on the row of a session's token, and the version of the row that another
-- token took the place of; since is what the absolute limit counts from, 0 where that is
-- created; locked is 0 while it is not; fresh lists areas and until when they are unlocked.
ALTER TABLE session_row ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE session_row ADD COLUMN superseded BIGINT NOT NULL DEFAULT 0;
ALTER TABLE session_row ADD COLUMN since BIGINT NOT NULL DEFAULT 0;
ALTER TABLE session_row ADD COLUMN locked BIGINT NOT NULL DEFAULT 0;
ALTER TABLE session_row ADD COLUMN fresh TEXT NOT NULL DEFAULT '';

DROP INDEX session_row_person;
CREATE UNIQUE INDEX session_row_owner ON session_row (tenant, person, id, superseded);
CREATE INDEX session_row_ends ON session_row (ends);

-- Confirmations that may be used once.
CREATE TABLE session_proof (
	tenant TEXT NOT NULL,
	hash BYTEA NOT NULL,
	until BIGINT NOT NULL,
	PRIMARY KEY (tenant, hash),
	CHECK (octet_length(hash) = 32)
);

CREATE INDEX session_proof_until ON session_proof (until);

-- What each tenant saved last; body is JSON.
CREATE TABLE session_policy (
	tenant TEXT NOT NULL PRIMARY KEY,
	version BIGINT NOT NULL,
	body TEXT NOT NULL
);

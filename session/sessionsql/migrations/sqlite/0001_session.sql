-- One row for each sign-in. hash is the SHA-256 of the token, ended is 0 while it lasts.
-- Times are microseconds since 1970 UTC.
CREATE TABLE session_row (
	hash BLOB NOT NULL PRIMARY KEY,
	id TEXT NOT NULL,
	tenant TEXT NOT NULL,
	person TEXT NOT NULL,
	kind TEXT NOT NULL,
	on_behalf_of TEXT NOT NULL,
	organization TEXT NOT NULL,
	auth_time BIGINT NOT NULL,
	methods TEXT NOT NULL,
	assurance SMALLINT NOT NULL,
	phishing_resistant SMALLINT NOT NULL,
	origin TEXT NOT NULL,
	device TEXT NOT NULL,
	created BIGINT NOT NULL,
	last_seen BIGINT NOT NULL,
	idle_ends BIGINT NOT NULL,
	ends BIGINT NOT NULL,
	ended BIGINT NOT NULL,
	reason TEXT NOT NULL,
	CHECK (length(hash) = 32)
) WITHOUT ROWID;

CREATE UNIQUE INDEX session_row_person ON session_row (tenant, person, id);

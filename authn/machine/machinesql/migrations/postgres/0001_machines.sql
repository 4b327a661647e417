-- Programs, their keys and access tokens. Times are microseconds since 1970 UTC, 0 for never.
-- Hashes are the SHA-256 of 256 random bits; scopes are separated by spaces.
CREATE TABLE machine_principal (
	tenant TEXT NOT NULL,
	id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL,
	kind TEXT NOT NULL,
	name TEXT NOT NULL,
	owner TEXT NOT NULL,
	on_behalf_of TEXT NOT NULL,
	scopes TEXT NOT NULL,
	state TEXT NOT NULL,
	expires BIGINT NOT NULL,
	created BIGINT NOT NULL,
	created_by TEXT NOT NULL,
	used BIGINT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE machine_key (
	id TEXT NOT NULL PRIMARY KEY,
	tenant TEXT NOT NULL,
	principal TEXT NOT NULL,
	hash BYTEA NOT NULL,
	created BIGINT NOT NULL,
	created_by TEXT NOT NULL,
	expires BIGINT NOT NULL,
	revoked BIGINT NOT NULL,
	used BIGINT NOT NULL
);
CREATE INDEX machine_key_principal ON machine_key (tenant, principal);
CREATE TABLE machine_token (
	id TEXT NOT NULL PRIMARY KEY,
	hash BYTEA NOT NULL,
	tenant TEXT NOT NULL,
	principal TEXT NOT NULL,
	key_id TEXT NOT NULL,
	scopes TEXT NOT NULL,
	created BIGINT NOT NULL,
	expires BIGINT NOT NULL
);
CREATE INDEX machine_token_expires ON machine_token (expires);

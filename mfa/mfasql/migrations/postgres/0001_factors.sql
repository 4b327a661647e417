-- One authenticator per tenant and person. Times are microseconds since 1970 UTC, 0 for never.
CREATE TABLE mfa_credential (
	tenant TEXT NOT NULL,
	person TEXT COLLATE "C" NOT NULL,
	id TEXT NOT NULL,
	version BIGINT NOT NULL,
	secret BYTEA NOT NULL,
	step BIGINT NOT NULL,
	failures BIGINT NOT NULL,
	created BIGINT NOT NULL,
	confirmed BIGINT NOT NULL,
	used BIGINT NOT NULL,
	locked BIGINT NOT NULL,
	PRIMARY KEY (tenant, person)
);
-- What follows from a change and is still owed.
CREATE TABLE mfa_outbox (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	kind TEXT NOT NULL,
	person TEXT NOT NULL,
	topic TEXT NOT NULL,
	body BYTEA NOT NULL,
	created BIGINT NOT NULL,
	attempts BIGINT NOT NULL,
	due BIGINT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE INDEX mfa_outbox_due ON mfa_outbox (due);

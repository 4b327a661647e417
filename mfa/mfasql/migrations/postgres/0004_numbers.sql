-- People's numbers for text messages, and the code that is on its way. phone, next_phone and code
-- are sealed. Times are microseconds since 1970 UTC, 0 for never.
CREATE TABLE mfa_number (
	tenant TEXT NOT NULL,
	person TEXT NOT NULL,
	id TEXT NOT NULL,
	version BIGINT NOT NULL,
	phone BYTEA NOT NULL,
	next_phone BYTEA NOT NULL,
	code BYTEA NOT NULL,
	code_id TEXT NOT NULL,
	enrols BIGINT NOT NULL,
	sent BIGINT NOT NULL,
	expires BIGINT NOT NULL,
	tries BIGINT NOT NULL,
	failures BIGINT NOT NULL,
	created BIGINT NOT NULL,
	confirmed BIGINT NOT NULL,
	used BIGINT NOT NULL,
	locked BIGINT NOT NULL,
	PRIMARY KEY (tenant, person)
);

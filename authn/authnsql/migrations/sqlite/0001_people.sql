-- People who may sign in. No name; the identifier only as blind-index term and sealed.
CREATE TABLE authn_person (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	kind TEXT NOT NULL,
	state TEXT NOT NULL,
	version BIGINT NOT NULL,
	term BLOB,
	sealed BLOB,
	created BIGINT NOT NULL,
	changed BIGINT NOT NULL,
	signed_in BIGINT NOT NULL,
	PRIMARY KEY (tenant, id)
);

CREATE UNIQUE INDEX authn_person_term ON authn_person (tenant, term) WHERE term IS NOT NULL;

-- One row per person and family of authenticators, and per identifier that nobody has.
CREATE TABLE authn_credential (
	tenant TEXT NOT NULL,
	person TEXT NOT NULL,
	family TEXT NOT NULL,
	hash TEXT NOT NULL,
	due SMALLINT NOT NULL,
	changed BIGINT NOT NULL,
	used BIGINT NOT NULL,
	failures INTEGER NOT NULL,
	not_before BIGINT NOT NULL,
	charged BIGINT NOT NULL,
	PRIMARY KEY (tenant, person, family)
);

CREATE TABLE authn_link (
	hash BLOB NOT NULL PRIMARY KEY,
	tenant TEXT NOT NULL,
	person TEXT NOT NULL,
	purpose TEXT NOT NULL,
	created BIGINT NOT NULL,
	expires BIGINT NOT NULL,
	used BIGINT NOT NULL
);

CREATE INDEX authn_link_person ON authn_link (tenant, person);

CREATE TABLE authn_ticket (
	hash BLOB NOT NULL PRIMARY KEY,
	tenant TEXT NOT NULL,
	person TEXT NOT NULL,
	state BLOB NOT NULL,
	expires BIGINT NOT NULL
);

CREATE INDEX authn_ticket_expires ON authn_ticket (expires);

CREATE TABLE authn_window (
	tenant TEXT NOT NULL,
	bucket TEXT NOT NULL,
	hits INTEGER NOT NULL,
	ends BIGINT NOT NULL,
	PRIMARY KEY (tenant, bucket)
);

CREATE INDEX authn_window_ends ON authn_window (ends);

-- Messages of changes, until they are delivered. Bodies are sealed.
CREATE TABLE authn_outbox (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	kind TEXT NOT NULL,
	person TEXT NOT NULL,
	topic TEXT NOT NULL,
	body BLOB NOT NULL,
	created BIGINT NOT NULL,
	attempts INTEGER NOT NULL,
	due BIGINT NOT NULL,
	PRIMARY KEY (tenant, id)
);

CREATE INDEX authn_outbox_due ON authn_outbox (due);

-- How far each tenant's log was reviewed.
CREATE TABLE audit_review_place (
	tenant TEXT PRIMARY KEY,
	version BIGINT NOT NULL,
	next BIGINT NOT NULL,
	data BYTEA NOT NULL
);

-- What is remembered of each actor.
CREATE TABLE audit_review_actor (
	tenant TEXT NOT NULL,
	actor TEXT NOT NULL,
	data BYTEA NOT NULL,
	PRIMARY KEY (tenant, actor)
);

-- The findings; body is the whole of one, the columns are what it is found by.
CREATE TABLE audit_review_finding (
	tenant TEXT NOT NULL,
	id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL,
	rule TEXT NOT NULL,
	actor TEXT NOT NULL,
	state TEXT NOT NULL,
	place BIGINT NOT NULL,
	body BYTEA NOT NULL,
	PRIMARY KEY (tenant, id)
);

CREATE INDEX audit_review_finding_place ON audit_review_finding (tenant, place, id);

CREATE INDEX audit_review_finding_state ON audit_review_finding (tenant, state, place, id);

CREATE TABLE audit_review_settings (
	tenant TEXT PRIMARY KEY,
	version BIGINT NOT NULL,
	data BYTEA NOT NULL
);

-- How far each tenant's log was reviewed.
CREATE TABLE audit_review_place (
	tenant TEXT PRIMARY KEY,
	version INTEGER NOT NULL,
	next INTEGER NOT NULL,
	data BLOB NOT NULL
) STRICT;

-- What is remembered of each actor.
CREATE TABLE audit_review_actor (
	tenant TEXT NOT NULL,
	actor TEXT NOT NULL,
	data BLOB NOT NULL,
	PRIMARY KEY (tenant, actor)
) STRICT, WITHOUT ROWID;

-- The findings; body is the whole of one, the columns are what it is found by.
CREATE TABLE audit_review_finding (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	version INTEGER NOT NULL,
	rule TEXT NOT NULL,
	actor TEXT NOT NULL,
	state TEXT NOT NULL,
	place INTEGER NOT NULL,
	body BLOB NOT NULL,
	PRIMARY KEY (tenant, id)
) STRICT;

CREATE INDEX audit_review_finding_place ON audit_review_finding (tenant, place, id);

CREATE INDEX audit_review_finding_state ON audit_review_finding (tenant, state, place, id);

CREATE TABLE audit_review_settings (
	tenant TEXT PRIMARY KEY,
	version INTEGER NOT NULL,
	data BLOB NOT NULL
) STRICT;

CREATE TABLE phi_key (
	kid BLOB NOT NULL PRIMARY KEY,
	namespace TEXT NOT NULL,
	tenant TEXT NOT NULL,
	purpose TEXT NOT NULL,
	patient TEXT NOT NULL,
	epoch BIGINT NOT NULL,
	root BLOB NOT NULL,
	wrapped BLOB NOT NULL,
	created BIGINT NOT NULL,
	UNIQUE (namespace, tenant, purpose, patient, epoch)
);
CREATE TABLE phi_term (
	tenant TEXT NOT NULL,
	entity TEXT NOT NULL,
	field TEXT NOT NULL,
	term BLOB NOT NULL,
	row_id TEXT NOT NULL,
	PRIMARY KEY (tenant, entity, field, term, row_id)
);
CREATE INDEX phi_term_row ON phi_term (tenant, entity, row_id);
CREATE TABLE phi_unique (
	tenant TEXT NOT NULL,
	entity TEXT NOT NULL,
	field TEXT NOT NULL,
	term BLOB NOT NULL,
	row_id TEXT NOT NULL,
	PRIMARY KEY (tenant, entity, field, term)
);
CREATE INDEX phi_unique_row ON phi_unique (tenant, entity, row_id);

CREATE TABLE clinic_choice (
	tenant TEXT NOT NULL PRIMARY KEY,
	version BIGINT NOT NULL,
	choices TEXT NOT NULL
);
CREATE TABLE clinic_paper (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	kind TEXT NOT NULL,
	patient TEXT NOT NULL,
	author TEXT NOT NULL,
	created BIGINT NOT NULL,
	deleted BIGINT NOT NULL,
	title BYTEA,
	body BYTEA,
	PRIMARY KEY (tenant, id)
);
CREATE INDEX clinic_paper_patient ON clinic_paper (tenant, patient);

CREATE TABLE clinic_draft (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	patient TEXT NOT NULL,
	version BIGINT NOT NULL,
	saved BIGINT NOT NULL,
	note BYTEA,
	PRIMARY KEY (tenant, id)
);

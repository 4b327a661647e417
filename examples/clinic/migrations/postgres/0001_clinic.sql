CREATE TABLE clinic_patient (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	version BIGINT NOT NULL,
	created BIGINT NOT NULL,
	name BYTEA,
	birth BYTEA,
	phone BYTEA,
	email BYTEA,
	ssn BYTEA,
	note BYTEA,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE clinic_care (
	tenant TEXT NOT NULL,
	therapist TEXT NOT NULL,
	patient TEXT NOT NULL,
	since BIGINT NOT NULL,
	until BIGINT NOT NULL,
	PRIMARY KEY (tenant, therapist, patient, since)
);
CREATE INDEX clinic_care_patient ON clinic_care (tenant, patient);
CREATE TABLE clinic_staff (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	name BYTEA NOT NULL,
	email BYTEA NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE clinic_demo (
	tenant TEXT NOT NULL,
	kind TEXT NOT NULL,
	id TEXT NOT NULL,
	created BIGINT NOT NULL,
	body BYTEA NOT NULL,
	PRIMARY KEY (tenant, kind, id)
);

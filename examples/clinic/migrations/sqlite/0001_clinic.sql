CREATE TABLE clinic_patient (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	version INTEGER NOT NULL,
	created INTEGER NOT NULL,
	name BLOB,
	birth BLOB,
	phone BLOB,
	email BLOB,
	ssn BLOB,
	note BLOB,
	PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
CREATE TABLE clinic_care (
	tenant TEXT NOT NULL,
	therapist TEXT NOT NULL,
	patient TEXT NOT NULL,
	since INTEGER NOT NULL,
	until INTEGER NOT NULL,
	PRIMARY KEY (tenant, therapist, patient, since)
) WITHOUT ROWID;
CREATE INDEX clinic_care_patient ON clinic_care (tenant, patient);
CREATE TABLE clinic_staff (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	name BLOB NOT NULL,
	email BLOB NOT NULL,
	PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
CREATE TABLE clinic_demo (
	tenant TEXT NOT NULL,
	kind TEXT NOT NULL,
	id TEXT NOT NULL,
	created INTEGER NOT NULL,
	body BLOB NOT NULL,
	PRIMARY KEY (tenant, kind, id)
) WITHOUT ROWID;

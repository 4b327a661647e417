CREATE TABLE clinic_choice (
	tenant TEXT NOT NULL PRIMARY KEY,
	version INTEGER NOT NULL,
	choices TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE clinic_paper (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	kind TEXT NOT NULL,
	patient TEXT NOT NULL,
	author TEXT NOT NULL,
	created INTEGER NOT NULL,
	deleted INTEGER NOT NULL,
	title BLOB,
	body BLOB,
	PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
CREATE INDEX clinic_paper_patient ON clinic_paper (tenant, patient);

CREATE TABLE clinic_draft (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	patient TEXT NOT NULL,
	version INTEGER NOT NULL,
	saved INTEGER NOT NULL,
	note BLOB,
	PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE TABLE clinic_portal (
	tenant TEXT NOT NULL,
	account TEXT NOT NULL,
	patient TEXT NOT NULL,
	since INTEGER NOT NULL,
	PRIMARY KEY (tenant, account)
) WITHOUT ROWID;
CREATE UNIQUE INDEX clinic_portal_patient ON clinic_portal (tenant, patient);
CREATE TABLE clinic_banner (
	tenant TEXT NOT NULL,
	version TEXT NOT NULL,
	words TEXT NOT NULL,
	PRIMARY KEY (tenant, version)
) WITHOUT ROWID;

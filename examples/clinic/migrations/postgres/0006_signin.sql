CREATE TABLE clinic_portal (
	tenant TEXT NOT NULL,
	account TEXT NOT NULL,
	patient TEXT NOT NULL,
	since BIGINT NOT NULL,
	PRIMARY KEY (tenant, account)
);
CREATE UNIQUE INDEX clinic_portal_patient ON clinic_portal (tenant, patient);
CREATE TABLE clinic_banner (
	tenant TEXT NOT NULL,
	version TEXT NOT NULL,
	words TEXT NOT NULL,
	PRIMARY KEY (tenant, version)
);

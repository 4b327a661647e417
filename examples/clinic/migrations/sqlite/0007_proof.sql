CREATE TABLE clinic_check (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	asked INTEGER NOT NULL,
	person TEXT NOT NULL,
	old TEXT NOT NULL,
	runner TEXT NOT NULL,
	beat INTEGER NOT NULL,
	done INTEGER NOT NULL,
	many INTEGER NOT NULL,
	ended INTEGER NOT NULL,
	result TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX clinic_check_open ON clinic_check (tenant) WHERE ended = 0;
CREATE TABLE clinic_export (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	person TEXT NOT NULL,
	manifest TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

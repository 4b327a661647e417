CREATE TABLE clinic_check (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	asked BIGINT NOT NULL,
	person TEXT NOT NULL,
	old TEXT NOT NULL,
	runner TEXT NOT NULL,
	beat BIGINT NOT NULL,
	done BIGINT NOT NULL,
	many BIGINT NOT NULL,
	ended BIGINT NOT NULL,
	result TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX clinic_check_open ON clinic_check (tenant) WHERE ended = 0;
CREATE TABLE clinic_export (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	person TEXT NOT NULL,
	manifest TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);

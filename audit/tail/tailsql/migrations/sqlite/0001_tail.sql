-- How far each feed has come in each tenant's order, and who sends.
CREATE TABLE audit_feed (
	feed TEXT NOT NULL,
	tenant TEXT NOT NULL,
	next INTEGER NOT NULL,
	last BLOB NOT NULL,
	holder TEXT NOT NULL,
	until INTEGER NOT NULL,
	version INTEGER NOT NULL,
	PRIMARY KEY (feed, tenant)
) STRICT, WITHOUT ROWID;

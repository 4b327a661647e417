-- How far each feed has come in each tenant's order, and who sends.
CREATE TABLE audit_feed (
	feed TEXT COLLATE "C" NOT NULL,
	tenant TEXT COLLATE "C" NOT NULL,
	next BIGINT NOT NULL,
	last BYTEA NOT NULL,
	holder TEXT NOT NULL,
	until BIGINT NOT NULL,
	version BIGINT NOT NULL,
	PRIMARY KEY (feed, tenant)
);

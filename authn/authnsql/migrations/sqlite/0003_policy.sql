-- What each tenant saved last; body is JSON.
CREATE TABLE authn_policy (
	tenant TEXT NOT NULL PRIMARY KEY,
	version BIGINT NOT NULL,
	body TEXT NOT NULL
) WITHOUT ROWID;

-- Campaigns of recertification and their items. A body is JSON; the columns beside it repeat what is
-- looked for. The version of a campaign counts for its items too.
CREATE TABLE recert_campaign (
	id TEXT NOT NULL PRIMARY KEY,
	tenant TEXT NOT NULL,
	version BIGINT NOT NULL,
	active BIGINT NOT NULL,
	body BLOB NOT NULL
);
CREATE UNIQUE INDEX recert_campaign_tenant ON recert_campaign (tenant, id);
CREATE INDEX recert_campaign_active ON recert_campaign (id) WHERE active = 1;
CREATE TABLE recert_item (
	tenant TEXT NOT NULL,
	campaign TEXT NOT NULL,
	seq BIGINT NOT NULL,
	state TEXT NOT NULL,
	reviewer TEXT NOT NULL,
	body BLOB NOT NULL,
	PRIMARY KEY (tenant, campaign, seq)
);
CREATE INDEX recert_item_reviewer ON recert_item (tenant, campaign, reviewer, seq);
CREATE INDEX recert_item_state ON recert_item (tenant, campaign, state, seq);

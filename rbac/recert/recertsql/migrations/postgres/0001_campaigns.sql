-- Campaigns of recertification and their items. A body is JSON; the columns beside it repeat what is
-- looked for. The version of a campaign counts for its items too.
CREATE TABLE recert_campaign (
	id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	tenant TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL,
	active BIGINT NOT NULL,
	body BYTEA NOT NULL
);
CREATE UNIQUE INDEX recert_campaign_tenant ON recert_campaign (tenant, id);
CREATE INDEX recert_campaign_active ON recert_campaign (id) WHERE active = 1;
CREATE TABLE recert_item (
	tenant TEXT COLLATE "C" NOT NULL,
	campaign TEXT COLLATE "C" NOT NULL,
	seq BIGINT NOT NULL,
	state TEXT COLLATE "C" NOT NULL,
	reviewer TEXT COLLATE "C" NOT NULL,
	body BYTEA NOT NULL,
	PRIMARY KEY (tenant, campaign, seq)
);
CREATE INDEX recert_item_reviewer ON recert_item (tenant, campaign, reviewer, seq);
CREATE INDEX recert_item_state ON recert_item (tenant, campaign, state, seq);

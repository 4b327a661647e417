-- What audit_land does, for a single event: without arrays to take apart, and without a setting
-- to change and to change back, because it names the schema itself. The commit waits for the
-- disk. It looks twice for a known ID, each time with a snapshot of its own.
DO $$ BEGIN EXECUTE format($f$
CREATE FUNCTION %1$I.audit_land_one(a_tenant TEXT, a_id BYTEA, a_recorded BIGINT, a_outcome SMALLINT, a_leaf BYTEA, a_body BYTEA,
	a_keys BYTEA, a_mac BYTEA, a_sealed BYTEA, a_fresh BOOLEAN, a_strict BOOLEAN)
RETURNS BOOLEAN LANGUAGE plpgsql AS $b$
DECLARE
	a_landed BOOLEAN;
BEGIN
	IF a_strict AND pg_catalog.current_setting('transaction_isolation') <> 'read committed' THEN
		RAISE EXCEPTION 'recording needs READ COMMITTED' USING ERRCODE = 'WA002';
	END IF;
	PERFORM pg_catalog.set_config('synchronous_commit', 'on', TRUE);
	INSERT INTO %1$I.audit_pending (serial, tenant, id, recorded, outcome, leaf, body, keys, mac, sealed)
	VALUES (pg_catalog.nextval(%2$L), a_tenant, a_id, a_recorded, a_outcome, a_leaf, a_body, a_keys, a_mac, a_sealed)
	ON CONFLICT (id, tenant) DO NOTHING;
	a_landed := FOUND;
	IF a_landed AND NOT a_fresh THEN
		PERFORM 1 FROM %1$I.audit_entry e WHERE e.id = a_id AND (e.place >> 40)::INTEGER =
			(SELECT t.no FROM %1$I.audit_tenant t WHERE t.tenant = a_tenant);
		a_landed := NOT FOUND;
	END IF;
	IF a_strict AND NOT a_landed THEN
		RAISE EXCEPTION 'an event with this id is there already' USING ERRCODE = 'WA001';
	END IF;
	RETURN a_landed;
END $b$ $f$, current_schema(), format('%I.audit_serial', current_schema())); END $$;

-- The live runs in the order in which a search goes through them, the newest first: it reads
-- them one by one and stops when it has found enough.
CREATE INDEX audit_run_live ON audit_run (state, level, no DESC);

-- How much the tenant's roles see where that is less than the policy's, as JSON: role, class and
-- level. It shares the version of the choices; a release that does not know it leaves it alone.
ALTER TABLE rbac_toggles ADD COLUMN masks TEXT NOT NULL DEFAULT '{}';

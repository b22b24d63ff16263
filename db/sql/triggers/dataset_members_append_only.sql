CREATE TRIGGER dataset_members_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON dataset_members
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
COMMENT ON TRIGGER dataset_members_append_only ON dataset_members IS 'Rows are added, never changed.';

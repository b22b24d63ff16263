CREATE TRIGGER extractions_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON extractions
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
COMMENT ON TRIGGER extractions_append_only ON extractions IS 'Rows are added, never changed.';

CREATE FUNCTION forbid_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    -- Only erasing a document on request may take rows out, in a transaction that says so:
    -- SET LOCAL fieldloop.erase = 'on'.
    IF TG_OP = 'DELETE' AND current_setting('fieldloop.erase', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is append-only: % is not allowed', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation',
              TABLE = TG_TABLE_NAME,
              HINT = 'Append a new row. Documents are removed with `fieldloop erase`.';
END
$$;
COMMENT ON FUNCTION forbid_change() IS
    'Refuses UPDATE, DELETE and TRUNCATE on append-only tables, to their owner too. DELETE is possible in a transaction that ran SET LOCAL fieldloop.erase = ''on'': that is how fieldloop erase removes a document.';

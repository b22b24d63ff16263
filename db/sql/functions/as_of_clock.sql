CREATE FUNCTION as_of_clock(clock text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF clock IN ('record', 'source') THEN
        RETURN clock;
    END IF;
    RAISE EXCEPTION 'unknown clock: %', coalesce(quote_literal(clock), 'NULL')
        USING ERRCODE = 'invalid_parameter_value',
              HINT = 'Use ''record'' (when it entered the record) or ''source'' (when it happened in Label Studio).';
END
$$;
COMMENT ON FUNCTION as_of_clock(text) IS
    'Checks the name of a clock: record (when it entered the record) or source (when it happened in Label Studio).';

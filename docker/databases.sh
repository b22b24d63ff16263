#!/bin/sh
# Run once by the postgres image on an empty data folder: a role and a database for each, closed to the other.
set -eu
create() {
  psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set name="$1" --set password="$2" --set rights="$3" <<'SQL'
CREATE ROLE :"name" LOGIN :rights PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE CONNECT, TEMPORARY ON DATABASE :"name" FROM PUBLIC;
SQL
}
create fieldloop "$FIELDLOOP_DATABASE_PASSWORD" CREATEROLE
create label_studio "$LABEL_STUDIO_DATABASE_PASSWORD" NOCREATEROLE

-- The services may see which steps were taken, so that what deletes can hold still while one is under way.
grant select on weir.kysely_migration to weir_service;

-- Who may do what. Roles belong to the whole server, so that another database of it may have made
-- them already, or be making them now.
--   weir_service   the services: they record through append alone and read the log of every tenant
--   weir_reader    audit reads on behalf of a tenant: `set local role weir_reader`, then
--                  `select set_config('weir.tenant', TENANT, true)`; without a tenant it sees nothing
do $$
declare
  v_role text;
begin
  foreach v_role in array array['weir_service', 'weir_reader'] loop
    if not exists (select from pg_roles where rolname = v_role) then
      begin
        execute format('create role %I nologin', v_role);
      exception when duplicate_object or unique_violation then
        null;
      end;
    end if;
    if not pg_has_role(current_user, v_role, 'member') then
      execute format('grant %I to %I', v_role, current_user);
    end if;
  end loop;
  -- The services may become the reader, never the other way round.
  if not pg_has_role('weir_service', 'weir_reader', 'member') then
    begin
      grant weir_reader to weir_service;
    exception when unique_violation then
      null;
    end;
  end if;
end
$$;

grant usage on schema weir to weir_service, weir_reader;
grant select on weir.tenant_head, weir.stream_head, weir.event, weir.command_dedupe, weir.claim
  to weir_service;
grant select, insert, update, delete on weir.cursor, weir.work_item, weir.observed_object,
  weir.lease, weir.vault to weir_service;
grant select on weir.event to weir_reader;
revoke execute on all functions in schema weir from public;
grant execute on all functions in schema weir to weir_service;

-- Forced, so that the owner needs a policy too: append runs as the owner.
alter table weir.event enable row level security;
alter table weir.event force row level security;
create policy owner_appends on weir.event to current_user using (true) with check (true);
create policy service_reads on weir.event for select to weir_service using (true);
create policy reader_reads_its_tenant on weir.event for select to weir_reader
  using (tenant = (select current_setting('weir.tenant', true)));

-- What follows from the log and stands beside it: cursors, work, last observations, leases, documents.

create table weir.cursor (
  consumer text collate "C" not null,
  tenant   text collate "C" not null,
  sequence bigint not null,
  primary key (consumer, tenant)
) with (fillfactor = 50);

-- A key is dirty while mark > settled. due_at says when it may be claimed next: null while there is
-- nothing to do; the end of the lease while a worker has it, so that a dead worker's key comes back
-- by the same rule as every other.
create table weir.work_item (
  consumer text collate "C" not null,
  tenant   text collate "C" not null,
  key      text collate "C" not null,
  mark     bigint not null default 1,
  settled  bigint not null default 0,
  due_at   timestamptz,
  attempts integer not null default 0,
  problem  text,
  worker   text,
  fence    bigint not null default 0,
  primary key (consumer, tenant, key)
) with (fillfactor = 70);
create index work_item_due on weir.work_item (consumer, due_at) where due_at is not null;
create index work_item_stuck on weir.work_item (consumer, attempts) where attempts > 0;

-- Marks keys dirty. Keys are taken in order, so that two markers never wait for each other. What a
-- worker holds stays with it: `done` sees that the mark moved on and makes the key due again.
create function weir.mark(p_consumer text, p_tenants text[], p_keys text[]) returns void
language sql volatile set search_path = pg_catalog, pg_temp as $$
  insert into weir.work_item as w (consumer, tenant, key, due_at)
  select distinct p_consumer, k.tenant, k.key, now()
  from unnest(p_tenants, p_keys) as k(tenant, key) order by 2, 3
  on conflict (consumer, tenant, key) do update set
    mark = w.mark + 1,
    due_at = case when w.worker is not null and w.due_at > clock_timestamp() then w.due_at
                  else least(w.due_at, now()) end
$$;

-- Advances a cursor and marks what follows. Null when it advanced, or where the cursor really stands.
-- It never passes the head: after a restore the bus may tell of events that the log has lost.
create function weir.ingest(
  p_consumer text, p_tenant text, p_from bigint, p_to bigint, p_keys text[]
) returns bigint
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  -- Losing this commit in a crash loses nothing: the cursor and the marks are lost together, and the
  -- events are read again. So it does not wait for the disk.
  perform set_config('synchronous_commit', 'off', true);
  if p_from = 0 then
    insert into weir.cursor (consumer, tenant, sequence) values (p_consumer, p_tenant, 0)
    on conflict do nothing;
  end if;
  update weir.cursor c set sequence = p_to
  where c.consumer = p_consumer and c.tenant = p_tenant and c.sequence = p_from
    and p_to <= (select h.sequence from weir.tenant_head h where h.tenant = p_tenant);
  if not found then
    return coalesce((select c.sequence from weir.cursor c
                     where c.consumer = p_consumer and c.tenant = p_tenant), 0);
  end if;
  if cardinality(p_keys) > 0 then
    perform weir.mark(p_consumer, array_fill(p_tenant, array[cardinality(p_keys)]), p_keys);
  end if;
  return null;
end
$$;

-- The last observation of each key, as each consumer has taken it in: two consumers of one kind must
-- each be told of a change. `changed` says whether the newest one brought other facts.
create table weir.observed_object (
  tenant        text collate "C" not null,
  cluster       text collate "C" not null,
  kind          text collate "C" not null,
  key           text collate "C" not null,
  consumer      text collate "C" not null,
  watcher_epoch bigint not null,
  seen_order    bigint not null,
  facts_hash    text not null,
  changed       boolean not null default true,
  body          json not null,
  primary key (tenant, cluster, kind, key, consumer)
) with (fillfactor = 70);

-- Keeps what is newer, and marks keys for what also differs. Gives the numbers of the latter.
create function weir.observe(
  p_consumer text,
  -- one element per observation, no two of the same object
  o_tenant text[], o_cluster text[], o_kind text[], o_key text[],
  o_epoch bigint[], o_order bigint[], o_hash text[], o_body text[],
  -- one element per work key; w_of is the number of its observation, 1 for the first
  w_of int[], w_key text[]
) returns setof int
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_changed int[];
begin
  with seen as (
    select * from unnest(o_tenant, o_cluster, o_kind, o_key, o_epoch, o_order, o_hash, o_body)
      with ordinality as s(tenant, cluster, kind, key, epoch, seen_order, hash, body, nr)
  ),
  kept as (
    insert into weir.observed_object as o (tenant, cluster, kind, key, consumer,
      watcher_epoch, seen_order, facts_hash, body)
    select tenant, cluster, kind, key, p_consumer, epoch, seen_order, hash, body::json
    from seen order by 1, 2, 3, 4
    on conflict (tenant, cluster, kind, key, consumer) do update set
      watcher_epoch = excluded.watcher_epoch, seen_order = excluded.seen_order,
      changed = o.facts_hash <> excluded.facts_hash,
      facts_hash = excluded.facts_hash, body = excluded.body
    where (excluded.watcher_epoch, excluded.seen_order) > (o.watcher_epoch, o.seen_order)
    returning tenant, cluster, kind, key, changed
  )
  select array_agg(seen.nr::int order by seen.nr) into v_changed
  from kept join seen using (tenant, cluster, kind, key) where kept.changed;

  perform weir.mark(p_consumer, array_agg(o_tenant[w.nr]), array_agg(w.key))
  from unnest(w_of, w_key) as w(nr, key) where w.nr = any(v_changed) having count(*) > 0;
  return query select unnest(v_changed);
end
$$;

create table weir.lease (
  name   text collate "C" primary key,
  holder text not null,
  until  timestamptz not null,
  fence  bigint not null
) with (fillfactor = 50);

create table weir.vault (
  tenant text collate "C" not null,
  name   text collate "C" not null,
  value  bytea not null,
  primary key (tenant, name)
);

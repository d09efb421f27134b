-- What is over may go, so that the database does not grow with everything that ever was.

-- When a key was last settled; a key that is new counts from its first mark.
alter table weir.work_item add column settled_at timestamptz not null default now();
create index work_item_idle on weir.work_item (settled_at) where due_at is null;
-- A block range costs an append nearly nothing, and the oldest commands lie together.
create index command_dedupe_age on weir.command_dedupe using brin (recorded_at)
  with (pages_per_range = 32, autosummarize = on);

-- As in 0003, but a key that comes back after it was pruned begins at a fence that no claim of its
-- earlier life can have had: the time in milliseconds, and nobody claims a key that often. Otherwise
-- who slept through all of it could settle the claim of another, or take its old memory for current.
create or replace function weir.mark(p_consumer text, p_tenants text[], p_keys text[]) returns void
language sql volatile set search_path = pg_catalog, pg_temp as $$
  insert into weir.work_item as w (consumer, tenant, key, due_at, fence)
  select distinct p_consumer, k.tenant, k.key, now(), floor(extract(epoch from now()) * 1000)::bigint
  from unnest(p_tenants, p_keys) as k(tenant, key) order by 2, 3
  on conflict (consumer, tenant, key) do update set
    mark = w.mark + 1,
    due_at = case when w.worker is not null and w.due_at > clock_timestamp() then w.due_at
                  else least(w.due_at, now()) end
$$;

-- As in 0005, and notes when.
create or replace function weir.settle_work(
  p_consumer text,
  -- one element per key; the wait is null for a key that need not come back by itself, the problem
  -- for one that did not fail
  p_tenants text[], p_keys text[], p_marks bigint[], p_fences bigint[],
  p_after_ms bigint[], p_problems text[]
) returns setof int
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
declare
  v_end record;
begin
  perform set_config('synchronous_commit', 'off', true);
  for v_end in
    select * from unnest(p_tenants, p_keys, p_marks, p_fences, p_after_ms, p_problems)
      with ordinality as e(tenant, key, mark, fence, after_ms, problem, nr)
    order by tenant, key
  loop
    update weir.work_item w set worker = null, problem = v_end.problem, settled_at = now(),
      settled = case when v_end.problem is null then v_end.mark else w.settled end,
      attempts = case when v_end.problem is null then 0 else w.attempts + 1 end,
      due_at = case when w.mark > v_end.mark then now()
                    else now() + v_end.after_ms * interval '1 millisecond' end
    where w.consumer = p_consumer and w.tenant = v_end.tenant and w.key = v_end.key
      and w.fence = v_end.fence;
    if found then
      return next v_end.nr::int;
    end if;
  end loop;
end
$$;

-- Removes what is over, `p_limit` of each kind at most. Rows that somebody holds are passed over. It runs
-- as the owner, since the services may not remove commands in any other way.
create function weir.prune(p_keep_ms bigint, p_limit int)
returns table (commands int, work int)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
declare
  v_before timestamptz := clock_timestamp() - p_keep_ms * interval '1 millisecond';
begin
  perform set_config('synchronous_commit', 'off', true);
  delete from weir.command_dedupe where ctid = any(array(
    select d.ctid from weir.command_dedupe d where d.recorded_at < v_before
    limit p_limit for update skip locked));
  get diagnostics commands = row_count;
  delete from weir.work_item where ctid = any(array(
    select w.ctid from weir.work_item w where w.due_at is null and w.settled_at < v_before
    limit p_limit for update skip locked));
  get diagnostics work = row_count;
  return next;
end
$$;
revoke execute on function weir.prune from public;
grant execute on function weir.prune to weir_service;

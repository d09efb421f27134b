-- Claims and settles work of many keys in one call. A loop and not a join: each key is one look by the
-- primary key, whatever the planner thinks of the table. Joined, a batch of 500 went over all the work
-- of its consumer 500 times while the table was new and not analysed (measured: 280 ms, like this 25).
--
-- Losing a claim or a result in a crash only makes work be done again, so neither waits for the disk.

-- Takes those of the keys that are due and that nobody is taking, in the order given, `p_limit` at most.
create function weir.claim_work(
  p_consumer text, p_worker text, p_lease_ms bigint, p_limit bigint, p_tenants text[], p_keys text[]
) returns table (tenant text, key text, mark bigint, attempts int, fence bigint)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
  v_wanted record;
  v_left bigint := p_limit;
begin
  perform set_config('synchronous_commit', 'off', true);
  for v_wanted in select * from unnest(p_tenants, p_keys) as w(tenant, key) loop
    exit when v_left <= 0;
    -- The coalesce keeps the planner from the index on due_at.
    perform from weir.work_item w
    where w.consumer = p_consumer and w.tenant = v_wanted.tenant and w.key = v_wanted.key
      and coalesce(w.due_at, 'infinity') <= now()
    for update skip locked;
    continue when not found;
    return query
      update weir.work_item w set worker = p_worker, fence = w.fence + 1,
        due_at = clock_timestamp() + p_lease_ms * interval '1 millisecond'
      where w.consumer = p_consumer and w.tenant = v_wanted.tenant and w.key = v_wanted.key
      returning w.tenant, w.key, w.mark, w.attempts, w.fence;
    v_left := v_left - 1;
  end loop;
end
$$;

-- Settles what is still held under its fence, and gives the numbers of those, 1 for the first. Rows are
-- taken in the order in which `mark` takes them, so that the two never wait for each other.
create function weir.settle_work(
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
    update weir.work_item w set worker = null, problem = v_end.problem,
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

revoke execute on all functions in schema weir from public;
grant execute on function weir.claim_work, weir.settle_work to weir_service;

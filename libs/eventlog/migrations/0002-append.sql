-- append: decisions of one tenant become facts, all in one call and one transaction.
--
-- The commands of a call have nothing to do with one another: no two share a command id, a stream or a
-- claim key (the caller's batching sees to it; breaking it raises and records nothing). So each is
-- judged by the state before the call, and each has its own outcome.
--
-- Order of locks, the same in every transaction, so that none waits for one that waits for it:
--   1. buckets of claim keys, in the order of their numbers (advisory, class 2)
--   2. the tenant (advisory, class 1), one per transaction
--   3. rows, which nobody contends for any more
-- Claims come first because tenants contend for them: who waits for a key another tenant is taking
-- must not hold up its own tenant meanwhile. 4,096 buckets bound the lock table; two keys in one
-- bucket merely wait for each other. The tenant's lock is let go only after the commit is visible, so
-- n+1 cannot be given out before n can be read. Its waiters hold no row and no transaction id.
--
-- Runs at READ COMMITTED: the statement after the locks sees all that was committed before it.
create function weir.append(
  p_tenant text,
  -- one element per command
  p_command text[], p_actor text[], p_correlation text[], p_causation text[], p_trace text[],
  -- one element per event; *_of is the number of its command, 1 for the first
  e_of int[], e_stream text[], e_expected bigint[], e_id uuid[], e_type text[], e_schema int[],
  e_occurred timestamptz[], e_data text[],
  -- one element per claim change; the rest is null for a take
  c_of int[], c_scope text[], c_key text[], c_holder text[], c_rest_ms bigint[]
) returns table (
  command int, status text, first bigint, last bigint, recorded_ms bigint,
  subject text, key text, actual bigint
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_bound text := current_setting('weir.tenant', true);
  v_now timestamptz;
begin
  if v_bound <> '' and v_bound <> p_tenant then
    raise exception 'this session is bound to tenant %, not %', v_bound, p_tenant
      using errcode = 'insufficient_privilege';
  end if;
  if cardinality(c_key) > 0 then
    perform pg_advisory_xact_lock(2, b.bucket) from (
      select distinct hashtext(c.scope || ' ' || c.key) & 4095 as bucket
      from unnest(c_scope, c_key) as c(scope, key) order by 1
    ) b;
  end if;
  perform pg_advisory_xact_lock(1, hashtext(p_tenant));
  v_now := date_trunc('milliseconds', clock_timestamp());

  return query
  with
  cmd as (
    select * from unnest(p_command, p_actor, p_correlation, p_causation, p_trace)
      with ordinality as c(id, actor, correlation, causation, trace, nr)
  ),
  entry as (
    select *,
      row_number() over (partition by e.cmd_nr order by e.nr) as place,
      row_number() over (partition by e.cmd_nr, e.stream order by e.nr) as step
    from unnest(e_of, e_stream, e_expected, e_id, e_type, e_schema, e_occurred, e_data)
      with ordinality as e(cmd_nr, stream, expected, id, type, schema, occurred, data, nr)
  ),
  change as (
    select * from unnest(c_of, c_scope, c_key, c_holder, c_rest_ms)
      as c(cmd_nr, scope, key, holder, rest_ms)
  ),
  known as (
    select cmd.nr, d.first_sequence, d.last_sequence
    from cmd join weir.command_dedupe d on d.tenant = p_tenant and d.command = cmd.id
  ),
  clash as (
    select distinct on (e.cmd_nr) e.cmd_nr, e.stream, coalesce(h.version, 0) as actual
    from entry e left join weir.stream_head h on h.tenant = p_tenant and h.stream = e.stream
    where e.step = 1 and e.expected <> coalesce(h.version, 0)
    order by e.cmd_nr, e.stream
  ),
  -- A take is refused when somebody else holds the key, or held it last and it rests.
  taken as (
    select distinct on (c.cmd_nr) c.cmd_nr, c.scope, c.key
    from change c join weir.claim k on k.scope = c.scope and k.key = c.key
    where c.rest_ms is null
      and (k.tenant, coalesce(k.holder, k.last_holder)) <> (p_tenant, c.holder)
      and (k.holder is not null or k.rests_until > v_now)
    order by c.cmd_nr, c.scope, c.key
  ),
  accepted as (
    select cmd.*, n.events, sum(n.events) over (order by cmd.nr)::bigint as upto
    from cmd cross join lateral (select count(*) as events from entry where cmd_nr = cmd.nr) n
    where cmd.nr not in (select nr from known)
      and cmd.nr not in (select cmd_nr from clash)
      and cmd.nr not in (select cmd_nr from taken)
  ),
  total as (select coalesce(max(upto), 0) as events from accepted),
  moved as (
    insert into weir.tenant_head as h (tenant, sequence, recorded_at)
    select p_tenant, total.events, v_now from total where total.events > 0
    on conflict (tenant) do update set
      sequence = h.sequence + excluded.sequence,
      recorded_at = greatest(h.recorded_at, excluded.recorded_at)
    returning h.sequence, h.recorded_at
  ),
  base as (
    select coalesce(
        (select moved.sequence from moved) - total.events,
        (select sequence from weir.tenant_head where tenant = p_tenant), 0) as sequence,
      coalesce((select moved.recorded_at from moved), v_now) as recorded_at
    from total
  ),
  recorded as (
    insert into weir.event (tenant, sequence, stream, stream_version, id, type, schema_version,
      occurred_at, recorded_at, actor, correlation_id, causation_id, traceparent, data)
    select p_tenant, base.sequence + a.upto - a.events + e.place, e.stream, e.expected + e.step,
      e.id, e.type, e.schema, e.occurred, base.recorded_at,
      a.actor, a.correlation, a.causation, a.trace, e.data::json
    from entry e join accepted a on a.nr = e.cmd_nr cross join base
  ),
  versions as (
    insert into weir.stream_head (tenant, stream, version)
    select p_tenant, e.stream, max(e.expected + e.step)
    from entry e join accepted a on a.nr = e.cmd_nr group by e.stream, e.cmd_nr order by e.stream
    on conflict (tenant, stream) do update set version = excluded.version
  ),
  remembered as (
    insert into weir.command_dedupe (tenant, command, first_sequence, last_sequence, recorded_at)
    select p_tenant, a.id, base.sequence + a.upto - a.events + 1, base.sequence + a.upto,
      base.recorded_at
    from accepted a cross join base
  ),
  takes as (
    insert into weir.claim (scope, key, tenant, holder)
    select c.scope, c.key, p_tenant, c.holder
    from change c join accepted a on a.nr = c.cmd_nr where c.rest_ms is null
    order by c.scope, c.key
    on conflict (scope, key) do update set tenant = excluded.tenant, holder = excluded.holder,
      last_holder = null, released_at = null, rests_until = null
  ),
  -- Letting go of what one does not hold changes nothing.
  releases as (
    update weir.claim k set holder = null, last_holder = k.holder, released_at = v_now,
      rests_until = v_now + c.rest_ms * interval '1 millisecond'
    from change c join accepted a on a.nr = c.cmd_nr
    where c.rest_ms is not null and k.scope = c.scope and k.key = c.key
      and k.tenant = p_tenant and k.holder = c.holder
  )
  select cmd.nr::int,
    case when known.nr is not null then 'repeated' when clash.cmd_nr is not null then 'conflict'
      when taken.cmd_nr is not null then 'claimed' else 'appended' end,
    coalesce(known.first_sequence, base.sequence + a.upto - a.events + 1),
    coalesce(known.last_sequence, base.sequence + a.upto),
    floor(extract(epoch from base.recorded_at) * 1000)::bigint,
    coalesce(clash.stream, taken.scope), taken.key, clash.actual
  from cmd cross join base
    left join known on known.nr = cmd.nr
    left join clash on clash.cmd_nr = cmd.nr
    left join taken on taken.cmd_nr = cmd.nr
    left join accepted a on a.nr = cmd.nr
  order by cmd.nr;
end
$$;

-- The log and what append needs beside it. Times are the database's, cut to milliseconds. Text sorts by
-- bytes (collation "C"), so that the order is the same on every server and in every program.

create table weir.tenant_head (
  tenant      text collate "C" primary key,
  sequence    bigint not null,
  recorded_at timestamptz not null
) with (fillfactor = 50);

create table weir.stream_head (
  tenant  text collate "C" not null,
  stream  text collate "C" not null,
  version bigint not null,
  primary key (tenant, stream)
) with (fillfactor = 80);

-- data is json, not jsonb: it is given back as it was written, byte for byte, so that a seal over it
-- holds, and text that jsonb cannot hold (\u0000) is no poison.
create table weir.event (
  tenant         text collate "C" not null,
  sequence       bigint not null,
  stream         text collate "C" not null,
  stream_version bigint not null,
  id             uuid not null,
  type           text collate "C" not null,
  schema_version integer not null,
  occurred_at    timestamptz not null,
  recorded_at    timestamptz not null,
  actor          text not null,
  correlation_id text collate "C" not null,
  causation_id   text not null,
  traceparent    text,
  data           json not null,
  primary key (tenant, sequence),
  unique (tenant, stream, stream_version)
);
create index event_story on weir.event (tenant, correlation_id, sequence);

create table weir.command_dedupe (
  tenant         text collate "C" not null,
  command        text collate "C" not null,
  first_sequence bigint not null,
  last_sequence  bigint not null,
  recorded_at    timestamptz not null,
  primary key (tenant, command)
);

-- Who holds what, exclusive over all tenants. A row let go of stays: it tells who held the key last,
-- until when it rests, and for how long it has been free.
create table weir.claim (
  scope       text collate "C" not null,
  key         text collate "C" not null,
  tenant      text collate "C" not null,
  holder      text collate "C",
  last_holder text collate "C",
  released_at timestamptz,
  rests_until timestamptz,
  primary key (scope, key),
  check ((holder is null) = (released_at is not null and rests_until is not null)),
  check ((holder is null) = (last_holder is not null))
) with (fillfactor = 80);

-- Facts are never changed and never removed, whoever asks: grants forbid it to the services, and
-- this to everybody else but a superuser who disables triggers.
create function weir.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'events are never changed or removed (% on weir.event)', tg_op
    using errcode = 'insufficient_privilege',
          hint = 'append an event that corrects the earlier one';
end
$$;
create trigger event_is_append_only before update or delete or truncate on weir.event
  for each statement execute function weir.refuse_change();

import { Option, type Command } from 'commander'
import type { ApiClient } from '../client.ts'
import { formats, type Format } from '../formats.ts'
import type { SessionFlags } from '../session.ts'

/** Options that every command which asks the platform has. */
export type Common = SessionFlags & { readonly output: Format }

const ask = (command: Command): Command =>
  command
    .addOption(
      new Option('-o, --output <format>', 'how to print').choices(formats).default('table'),
    )
    .option('--api <url>', 'address of the HTTP API (WEIR_API)')
    .option('--token <token>', 'token for it (WEIR_TOKEN)')
    .option('--tenant <tenant>', 'whose things (WEIR_TENANT)')

const client = async (flags: SessionFlags): Promise<ApiClient> => {
  const [{ createClient }, { openSession }] = await Promise.all([
    import('../client.ts'),
    import('../session.ts'),
  ])
  return createClient(openSession(flags))
}

/**
 * Puts every command into the program. A command's own code is loaded when it runs, so that `--help`
 * costs nothing.
 */
export const addCommands = (program: Command): void => {
  addPlatform(program)
  addMigrate(program)
  addReading(program)
  addChanging(program)
  addGc(program)
  addCluster(program)
  addDriver(program)
  addEdge(program)
}

const addPlatform = (program: Command): void => {
  program
    .command('up')
    .description('start the whole platform on this machine; Ctrl-C stops it')
    .addOption(
      new Option('--cluster <kind>', 'which minicluster to start').choices([
        'simulated',
        'kubernetes',
      ]),
    )
    .addOption(
      new Option(
        '--data-plane <kind>',
        'what moves the packets: kernel as root, or in unshare -Urnm',
      ).choices(['userspace', 'kernel']),
    )
    .option('--fresh', 'forget all state and start empty')
    .option('--kubeconfig <file>', 'serve this cluster instead of a minicluster')
    .option('--state <folder>', 'where state is kept', '.weir')
    .option('--api-port <port>', 'port of the weir API, remembered (7080 at first, if free)')
    .action(async (flags) => (await import('../up/up.ts')).up(flags))
  ask(
    program
      .command('demo')
      .description("walk through one Service's whole life and check each step from outside"),
  ).action(async (flags: Common) => (await import('./demo.ts')).demo(flags))
  ask(program.command('check').description('check the platform part by part')).action(
    async (flags: Common) => (await import('./check.ts')).check(await client(flags), flags),
  )
}

const addMigrate = (program: Command): void => {
  program
    .command('migrate')
    .description('bring the database at DATABASE_URL up to this version; safe to repeat')
    .action(async () => (await import('./migrate.ts')).migrateDatabase())
}

const addReading = (program: Command): void => {
  ask(
    program.command('url <service>').description('print the URL of a Service, NAMESPACE/NAME'),
  ).action(async (service: string, flags: Common) =>
    (await import('./url.ts')).url(await client(flags), service, flags),
  )
  const explain = program.command('explain').description('tell why something is as it is')
  ask(
    explain
      .command('service <service>')
      .description('the whole story of a Service, NAMESPACE/NAME'),
  ).action(async (service: string, flags: Common) =>
    (await import('./explain.ts')).explain(await client(flags), service, flags),
  )
  const events = program.command('events').description('the log, event by event')
  ask(
    events
      .command('service <service>')
      .description('events of one Service, NAMESPACE/NAME, also after it is gone'),
  )
    .option('-f, --follow', 'go on as events happen')
    .action(async (service: string, flags: Common & { follow?: boolean }) =>
      (await import('./events.ts')).serviceEvents(await client(flags), service, flags),
    )
  ask(events.command('all', { isDefault: true }).description('all events of the tenant'))
    .option('-f, --follow', 'go on as events happen')
    .action(async (flags: Common & { follow?: boolean }) =>
      (await import('./events.ts')).allEvents(await client(flags), flags),
    )
  ask(program.command('get <noun>').description('list lb, pool, cluster, tenant or edge'))
    .option('-A, --all', 'include load balancers that are gone')
    .action(async (noun: string, flags: Common & { all?: boolean }) =>
      (await import('./get.ts')).get(await client(flags), noun, flags),
    )
}

const addGc = (program: Command): void => {
  const gc = program.command('gc').description('what exists without a reason, and what may go')
  ask(
    gc
      .command('report')
      .description('compare what exists at the drivers with the log; changes nothing'),
  ).action(async (flags: Common) => (await import('./gc.ts')).gcReport(await client(flags), flags))
  ask(
    gc
      .command('explain <resource>')
      .description('why it is kept, condemned or gone; by its ref, its key or its Service UID'),
  ).action(async (resource: string, flags: Common) =>
    (await import('./gc-explain.ts')).gcExplain(await client(flags), resource, flags),
  )
  ask(
    gc.command('approve').description('let gc delete orphans, those condemned until now too'),
  ).action(async (flags: Common) => (await import('./gc.ts')).gcApprove(await client(flags), flags))
  ask(gc.command('suspend').description('let gc observe only'))
    .option('--why <why>', 'for the log', 'suspended by the operator')
    .action(async (flags: Common & { why: string }) =>
      (await import('./gc.ts')).gcSuspend(await client(flags), flags),
    )
  ask(gc.command('pause <tenant>').description('delete nothing of one tenant'))
    .option('--why <why>', 'for the log', 'paused by the operator')
    .action(async (tenant: string, flags: Common & { why: string }) =>
      (await import('./gc.ts')).gcPause(await client(flags), tenant, flags),
    )
  ask(gc.command('resume <tenant>').description('treat a tenant like all others again')).action(
    async (tenant: string, flags: Common) =>
      (await import('./gc.ts')).gcResume(await client(flags), tenant, flags),
  )
  ask(
    gc
      .command('apply')
      .description('have removed what a saved report condemns and a fresh look still does'),
  )
    .requiredOption('--from-report <file>', 'what "weir gc report -o json" printed')
    .action(async (flags: Common & { fromReport: string }) =>
      (await import('./gc.ts')).gcApply(await client(flags), flags),
    )
}

const addChanging = (program: Command): void => {
  const tenant = program.command('tenant').description('customers of the platform')
  ask(
    tenant.command('create <tenant>').description('make a tenant and print a token for it'),
  ).action(async (name: string, flags: Common) =>
    (await import('./tenant.ts')).tenantCreate(await client(flags), name, flags),
  )
  const pool = program.command('pool').description('address pools')
  ask(pool.command('create <name>').description('make or change a pool'))
    .requiredOption('--range <range...>', 'CIDR, or FIRST-LAST')
    .option('--priority <n>', 'pools with a lower number are tried first', '100')
    .option('--quarantine <seconds>', 'how long a released address rests', '60')
    .option('--for <tenant...>', 'tenants that may use it (all)')
    .action(async (name: string, flags) =>
      (await import('./pool.ts')).poolCreate(await client(flags), name, flags),
    )
}

const addCluster = (program: Command): void => {
  const cluster = program.command('cluster').description('clusters that are served')
  ask(
    cluster.command('connect').description('print the RBAC that weir needs, and connect a cluster'),
  )
    .option('--kubeconfig <file>', 'connect with these credentials')
    .option('--context <name>', 'context in the kubeconfig')
    .option('--name <name>', 'what to call the cluster', 'default')
    .option('--node-cidr <cidr...>', "where the cluster's nodes may have addresses")
    .option('--driver <name>', 'who makes its load balancers unless a Service says (edge)')
    .option('--no-default-class', 'serve only Services with loadBalancerClass weir.dev/*')
    .action(async (flags) => (await import('./cluster.ts')).clusterConnect(flags))
  ask(cluster.command('list').description('every cluster, and what is held back there')).action(
    async (flags: Common) => (await import('./cluster.ts')).clusterList(await client(flags), flags),
  )
  ask(
    cluster
      .command('set-driver <cluster> <driver>')
      .description('move the load balancers of a cluster to another driver'),
  ).action(async (name: string, driver: string, flags: Common) =>
    (await import('./cluster.ts')).clusterSetDriver(await client(flags), { name, driver }, flags),
  )
  ask(
    cluster
      .command('approve-absence <cluster>')
      .description('release what was made for Services gone all at once'),
  ).action(async (name: string, flags: Common) =>
    (await import('./cluster.ts')).clusterApproveAbsence(await client(flags), name),
  )
}

const addDriver = (program: Command): void => {
  const driver = program
    .command('driver')
    .description('who makes load balancers, with which account')
  ask(driver.command('create <name>').description('make or change a driver'))
    .addOption(
      new Option('--kind <kind>', 'what it talks to')
        .choices(['octavia', 'aws-nlb', 'fleet'])
        .makeOptionMandatory(),
    )
    .requiredOption(
      '--account <id>',
      'the project or account that the credentials must be of, or the fleet',
    )
    .requiredOption('--settings <file>', 'JSON object of settings; no secrets')
    .option('--credentials <file>', 'JSON object of credentials; probed, then kept encrypted')
    .addHelpText('after', driverHelp)
    .action(async (name: string, flags) =>
      (await import('./driver.ts')).driverCreate(await client(flags), name, flags),
    )
  ask(driver.command('list').description('every driver, whose it is, and what it can do')).action(
    async (flags: Common) => (await import('./driver.ts')).driverList(await client(flags), flags),
  )
  ask(
    driver
      .command('check [name]')
      .description('probe the credentials of one driver, or of all; fails when one is not ready'),
  ).action(async (name: string | undefined, flags: Common) =>
    (await import('./driver.ts')).driverCheck(await client(flags), name, flags),
  )
  ask(
    driver
      .command('remove <name>')
      .description('make nothing new with a driver; what it made is still cleaned up'),
  ).action(async (name: string, flags: Common) =>
    (await import('./driver.ts')).driverRemove(await client(flags), name, flags),
  )
}

const addEdge = (program: Command): void => {
  const edge = program.command('edge').description('the machines of our own fleets')
  ask(
    edge
      .command('show [name]')
      .description('what each edge serves now: frontends, nodes with weights, flows, generation'),
  ).action(async (name: string | undefined, flags: Common) =>
    (await import('./edge.ts')).edgeShow(await client(flags), name, flags),
  )
  ask(
    edge
      .command('verify [name]')
      .description(
        "compare each edge's table with its orders and with the log; fails if it differs",
      ),
  ).action(async (name: string | undefined, flags: Common) =>
    (await import('./edge.ts')).edgeVerify(await client(flags), name, flags),
  )
}

const driverHelp = `
Settings of an octavia driver, with an application credential of its project:
  {"authUrl": "https://keystone.example/v3", "vipSubnetId": "SUBNET"}
  {"applicationCredentialId": "ID", "applicationCredentialSecret": "SECRET"}
Settings of an aws-nlb driver, with keys that may make network load balancers:
  {"region": "eu-central-1", "vpcId": "vpc-1", "subnetIds": ["subnet-1"]}
  {"accessKeyId": "ID", "secretAccessKey": "SECRET"}
Settings of a further fleet of edges, which run with WEIR_FLEET=ACCOUNT; no credentials:
  {"dataPlane": "envoy"}
With --tenant only that tenant may use it. A Service asks for it by loadBalancerClass weir.dev/NAME.`

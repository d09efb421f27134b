// node libs/drivers/aws-nlb/rig/main.ts: a fake AWS account as a process of its own, until SIGTERM.
import { systemClock } from '@weir/kernel'
import { createFakeAws } from './fake-aws.ts'
import { serveFake } from './serve-fake.ts'

const fake = createFakeAws(systemClock)
const { endpoint, stop } = await serveFake(fake)
const { account, region, vpcId, subnets } = fake.premises
const line = { endpoint, account, region, vpcId, subnetIds: [...subnets.keys()] }
process.stdout.write(`${JSON.stringify(line)}\n`)
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    stop().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  })
}

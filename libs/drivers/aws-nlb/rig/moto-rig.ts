import { OperatingError } from '@weir/kernel'
import type { DriverRig, SuiteOptions } from '../../driver.conformance.ts'
import { createAwsApi } from '../api.ts'
import { credentialsOf, settingsFor, type RigAccount } from './account.ts'
import { createTurnedClock, fakeOptions, rigOn } from './driver-rig.ts'
import { startFaultProxy } from './fault-proxy.ts'
import { startMoto, type Environment } from './moto-server.ts'

export interface MotoRigs {
  /** A driver on an empty account with three instances, for one life; one at a time. */
  rig(): Promise<DriverRig>
  stop(): Promise<void>
}

/**
 * One moto server for all rigs: emptied only after a life that left something, as that takes longer
 * than many a life.
 */
export const startMotoRigs = async (env: Environment): Promise<MotoRigs> => {
  const moto = await startMoto(env)
  const proxy = await startFaultProxy(moto.endpoint)
  let clean: RigAccount | undefined
  return {
    rig: async () => {
      if (clean === undefined) await moto.reset()
      const account = clean ?? (await furnish(proxy.endpoint))
      clean = undefined
      const rig = rigOn(account, createTurnedClock())
      return {
        ...rig,
        failNext: proxy.failNext,
        stop: async () => {
          if ((await rig.things()).length === 0) clean = account
        },
      }
    },
    stop: async () => {
      await proxy.stop()
      await moto.stop()
    },
  }
}

/**
 * What the suite is told of moto. It never lags, and sets load balancers up before anybody can ask,
 * so there is nothing to wait for with a token.
 */
export const motoOptions: SuiteOptions = {
  ...fakeOptions,
  target: 'moto 5.2.1',
  tokens: false,
  lags: false,
  timeoutMs: 600_000,
}

const unknown = { region: 'eu-central-1', account: '123456789012', vpcId: 'vpc-0', instances: {} }

/** Looks the default VPC up and starts instances in it. */
const furnish = async (endpoint: string): Promise<RigAccount> => {
  const empty: RigAccount = { ...unknown, endpoint, subnetIds: ['subnet-0'] }
  const { ec2 } = await createAwsApi(settingsFor(empty), credentialsOf('AKIARIG')).clients()
  const { Subnets = [] } = await ec2.describeSubnets({})
  const vpcId = Subnets[0]?.VpcId
  if (vpcId === undefined) throw new OperatingError('moto has no default VPC')
  const { Instances = [] } = await ec2.runInstances({
    ImageId: 'ami-12c6146b',
    InstanceType: 't3.micro',
    MinCount: 3,
    MaxCount: 3,
  })
  return {
    ...empty,
    vpcId,
    subnetIds: Subnets.slice(0, 2).flatMap(({ SubnetId }) => SubnetId ?? []),
    instances: Object.fromEntries(
      Instances.map(({ InstanceId = '', PrivateIpAddress = '' }) => [InstanceId, PrivateIpAddress]),
    ),
  }
}

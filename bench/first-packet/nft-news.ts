/** An address that began to be in a map of nftables. */
export interface Arrived {
  readonly table: string
  readonly map: string
  readonly ip: string
}

/**
 * What a line of `nft monitor` says of frontends: `add element TABLE-FAMILY TABLE MAP { IP . tcp . 8080 : ... }`;
 * undefined for all else.
 */
export const arrivedIn = (line: string): Arrived | undefined => {
  const found = /^add element \w+ (\S+) (\S+) \{ ([\d.]+|[\da-f:]+) \. \w+ \. /.exec(line)
  const [, table, map, ip] = found ?? []
  return table === undefined || map === undefined || ip === undefined
    ? undefined
    : { table, map, ip }
}

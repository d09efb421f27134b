/** Says why a frontend can't be opened and what to do about it. */
export const bindProblem = (
  frontend: string,
  ip: string,
  error: unknown,
  holder: string | undefined,
): string => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
  switch (code) {
    case 'EADDRINUSE':
      return holder === undefined
        ? `${frontend} is in use by another program on this edge; stop that program ` +
            `("ss -lnp" shows it) or give the Service another port or address`
        : `${frontend} is in use by ${holder} on this edge; remove it there first`
    case 'EADDRNOTAVAIL':
      return (
        `${frontend} can't be opened: ${ip} is not an address of this edge; ` +
        `add it ("ip address add ${ip} dev lo") or use a pool inside 127.0.0.0/8`
      )
    case 'EACCES':
      return (
        `${frontend} can't be opened: ports below 1024 need a right this edge lacks; run it with ` +
        `CAP_NET_BIND_SERVICE or set net.ipv4.ip_unprivileged_port_start=0`
      )
    default:
      return `${frontend} can't be opened: ${code}; free resources of this edge or see its log`
  }
}

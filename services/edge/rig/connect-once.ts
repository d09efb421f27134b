// Makes one connection from the namespace it is run in, as `node connect-once.ts JSON`, and says whether
// somebody answered.
import { connectOnce } from '../data-plane/kernel/return-calls.ts'

process.stdout.write(JSON.stringify(await connectOnce(JSON.parse(process.argv[2] ?? ''))))

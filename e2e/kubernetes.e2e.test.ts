import { findKubernetesBinaries } from '@weir/minicluster'
import { test } from 'vitest'
import { describePlatform } from './suites/all.ts'

const binaries = findKubernetesBinaries({ env: process.env })

if (binaries) describePlatform('kubernetes')
else {
  test('without the real Kubernetes programs there is nothing to test here', () => {
    process.stderr.write(
      'The real API server is left out: its programs are not on this machine.\n' +
        'Get or build them, once, with "npm run binaries -- kubernetes".\n',
    )
  })
}

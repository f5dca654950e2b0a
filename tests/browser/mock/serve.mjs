/** `npm run mock`: the page over the mock scorer on 127.0.0.1:8081, for working on the page alone. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serve } from '../helper/server.mjs';
import { buildMock } from './build.mjs';

const dist = await mkdtemp(join(tmpdir(), 'curec-mock-'));
await buildMock(dist);
const { url } = await serve(dist, { port: Number(process.env.PORT ?? 8081) });
console.log(`The page with a mock scorer: ${url}`);

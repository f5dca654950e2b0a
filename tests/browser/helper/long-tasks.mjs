/**
 * The longest task of the page's main thread, step by step.
 *
 * What counts is the processor time of a task, which Chromium's tracing knows: on a machine that does other things as well, a task
 * may last long only because the processor was taken away from it, and a visitor's machine is not to blame for that.
 */

/** From this on a task is called long: a press or a key waits for it noticeably. */
export const LONG = 50;

/** What lies in the middle of some numbers; of two in the middle the larger one. @param {number[]} numbers */
export const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;

const MARK = 'step: ';
const END = 'end';

/**
 * Runs steps on a page one after another and tells the longest task within each, in milliseconds of processor time.
 * @param {import('playwright-core').Browser} browser
 * @param {import('playwright-core').Page} page
 * @param {[string, () => Promise<unknown>][]} steps the first one opens the page
 * @returns {Promise<Map<string, number>>}
 */
export async function longestTasks(browser, page, steps) {
  await browser.startTracing(page, { categories: ['toplevel', 'blink.user_timing'] });
  for (const [at, [name, step]] of steps.entries()) {
    if (at > 0) await page.evaluate((mark) => performance.mark(mark), MARK + name);
    await step();
    // What a step has set off ends before the next one begins.
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 50))));
  }
  await page.evaluate((mark) => performance.mark(mark), MARK + END);
  return longestPerStep(JSON.parse(String(await browser.stopTracing())).traceEvents, steps.map(([name]) => name));
}

/**
 * @typedef {{name: string, ph: string, pid: number, tid: number, ts: number, dur?: number, tdur?: number, args?: any}} TraceEvent times in microseconds
 * @param {TraceEvent[]} events @param {string[]} steps
 */
function longestPerStep(events, steps) {
  // The marks tell the page's process from those of the browser's own pages.
  const { pid: own } = events.find(({ name }) => name === MARK + END) ?? { pid: -1 };
  const main = events.find(({ name, args, pid }) => pid === own && name === 'thread_name' && args.name === 'CrRendererMain');
  const mine = events.filter(({ pid, tid }) => pid === main?.pid && tid === main.tid);
  const tasks = mine.filter(({ name, ph }) => ph === 'X' && name === 'ThreadControllerImpl::RunTask');
  if (tasks.length === 0 || tasks.every(({ tdur }) => tdur === undefined)) throw new Error('this Chromium’s trace tells no task’s processor time');
  // What a test asks through the browser's tools (which buttons are there, by what names) is no work of the page's.
  const driver = mine.filter(({ name, args }) => name === 'Receive mojo message' && args?.chrome_mojo_event_info?.mojo_interface_tag === 'blink.mojom.DevToolsSession');
  if (driver.length === 0) throw new Error('this Chromium’s trace does not tell the test’s own work from the page’s');
  const asked = new Set(tasks.filter((task) => driver.some(({ ts }) => ts >= task.ts && ts < task.ts + (task.dur ?? 0))));
  const begins = steps.map((name, at) => (at === 0 ? 0 : (mine.find((event) => event.name === MARK + name)?.ts ?? NaN)));
  if (begins.some(Number.isNaN)) throw new Error('the trace lacks the mark of a step');
  return new Map(
    steps.map((name, at) => {
      const [from = 0, to = Infinity] = [begins[at], begins[at + 1]];
      const within = tasks.filter((task) => !asked.has(task) && task.ts + (task.dur ?? 0) >= from && task.ts < to);
      return [name, within.reduce((most, { tdur = 0 }) => Math.max(most, tdur / 1000), 0)];
    }),
  );
}
